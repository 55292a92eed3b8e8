// Package testssh is an SSH server on the loopback interface for tests: it runs commands by /bin/sh and serves SFTP, so that what
// reaches machines over SSH can be tried without a machine.
package testssh

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// Server is a running server.
type Server struct {
	// Port is where it listens on 127.0.0.1.
	Port int
	// PrivateKey is the only key that it lets in, in OpenSSH's PEM form.
	PrivateKey string
	// HostKey is its own public key in the form of an authorized_keys line.
	HostKey string
	// Password lets in as well, when it is set before the first connection.
	Password string
	// AcceptEnv names the variables that clients may set.
	AcceptEnv map[string]bool
	// Sessions counts the sessions that were opened.
	Sessions atomic.Int64

	listener net.Listener
	conf     *ssh.ServerConfig
}

// Start starts a server on a free port, or on the given one.
func Start(port int) (*Server, error) {
	_, host, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	_, client, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	hostSigner, err := ssh.NewSignerFromKey(host)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(client, "")
	if err != nil {
		return nil, err
	}
	allowed, err := ssh.NewPublicKey(client.Public())
	if err != nil {
		return nil, err
	}
	s := &Server{PrivateKey: string(pem.EncodeToMemory(block)), HostKey: string(ssh.MarshalAuthorizedKey(hostSigner.PublicKey()))}
	s.conf = &ssh.ServerConfig{
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if string(key.Marshal()) != string(allowed.Marshal()) {
				return nil, errors.New("unknown key")
			}
			return nil, nil
		},
		PasswordCallback: func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if s.Password == "" || s.Password != string(password) {
				return nil, errors.New("wrong password")
			}
			return nil, nil
		},
	}
	s.conf.AddHostKey(hostSigner)
	if s.listener, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err != nil {
		return nil, err
	}
	s.Port = s.listener.Addr().(*net.TCPAddr).Port
	go s.accept()
	return s, nil
}

// Close stops listening.
func (s *Server) Close() { _ = s.listener.Close() }

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		go s.serve(conn)
	}
}

func (s *Server) serve(conn net.Conn) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, s.conf)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for ch := range channels {
		switch ch.ChannelType() {
		case "session":
			if c, reqs, err := ch.Accept(); err == nil {
				s.Sessions.Add(1)
				go s.session(c, reqs)
			}
		case "direct-tcpip":
			go forward(ch)
		default:
			_ = ch.Reject(ssh.UnknownChannelType, "not served")
		}
	}
}

// forward connects through to another port, as a bastion host does.
func forward(ch ssh.NewChannel) {
	var to struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(ch.ExtraData(), &to); err != nil {
		_ = ch.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	target, err := net.Dial("tcp", net.JoinHostPort(to.Host, strconv.Itoa(int(to.Port))))
	if err != nil {
		_ = ch.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	c, reqs, err := ch.Accept()
	if err != nil {
		_ = target.Close()
		return
	}
	go ssh.DiscardRequests(reqs)
	go func() { _, _ = io.Copy(target, c); _ = target.Close() }()
	_, _ = io.Copy(c, target)
	_ = c.Close()
}

func (s *Server) session(c ssh.Channel, reqs <-chan *ssh.Request) {
	defer c.Close()
	env := os.Environ()
	for r := range reqs {
		switch r.Type {
		case "env":
			var v struct{ Name, Value string }
			ok := ssh.Unmarshal(r.Payload, &v) == nil && s.AcceptEnv[v.Name]
			if ok {
				env = append(env, v.Name+"="+v.Value)
			}
			_ = r.Reply(ok, nil)
		case "exec":
			var v struct{ Command string }
			_ = r.Reply(ssh.Unmarshal(r.Payload, &v) == nil, nil)
			go func() {
				code := runCommand(c, v.Command, env)
				_, _ = c.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(code)}))
				_ = c.Close()
			}()
		case "subsystem":
			_ = r.Reply(true, nil)
			go func() {
				if server, err := sftp.NewServer(c); err == nil {
					_ = server.Serve()
				}
				_ = c.Close()
			}()
		default:
			if r.WantReply {
				_ = r.Reply(false, nil)
			}
		}
	}
}

func runCommand(c ssh.Channel, script string, env []string) int {
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, c, c.Stderr()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 255
	}
	go func() { _, _ = io.Copy(stdin, c); _ = stdin.Close() }()
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() >= 0 {
			return exit.ExitCode()
		}
		return 255
	}
	return 0
}
