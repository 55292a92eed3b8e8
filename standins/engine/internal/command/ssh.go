package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"groundwork.dev/standins/engine/internal/provider"
)

// connection says how to reach a machine.
type connection struct {
	Host, User, Password           string
	PrivateKey, PrivateKeyPassword string
	AgentSocketPath, HostKey       string
	Port                           float64
	DialErrorLimit                 *int
	PerDialTimeout                 *int
	Proxy                          *connection
}

// retryEvery is the pause between two attempts to dial. Machines that boot answer within seconds, so it is short.
const retryEvery = 500 * time.Millisecond

// refusedAllowance is how many more failures count when the machine refuses or is not there yet than the limit says: the limit
// is in the official provider's slower attempts (its pauses grow to several seconds), and means about a minute.
const refusedAllowance = 8

func (c *connection) address() string {
	port := int(c.Port)
	if port == 0 {
		port = 22
	}
	return net.JoinHostPort(c.Host, strconv.Itoa(port))
}

func (c *connection) config() (*ssh.ClientConfig, func(), error) {
	user := c.User
	if user == "" {
		user = "root"
	}
	conf := &ssh.ClientConfig{User: user, HostKeyCallback: ssh.InsecureIgnoreHostKey()} // #nosec G106: without hostKey none is asked for
	done := func() {}
	if c.HostKey != "" {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(c.HostKey))
		if err != nil {
			return nil, done, fmt.Errorf("hostKey: %w", err)
		}
		conf.HostKeyCallback = ssh.FixedHostKey(key)
		conf.HostKeyAlgorithms = keyAlgorithms(key.Type())
	}
	if c.PrivateKey != "" {
		var signer ssh.Signer
		var err error
		if c.PrivateKeyPassword != "" {
			signer, err = ssh.ParsePrivateKeyWithPassphrase([]byte(c.PrivateKey), []byte(c.PrivateKeyPassword))
		} else {
			signer, err = ssh.ParsePrivateKey([]byte(c.PrivateKey))
		}
		if err != nil {
			return nil, done, fmt.Errorf("privateKey: %w", err)
		}
		conf.Auth = append(conf.Auth, ssh.PublicKeys(signer))
	}
	if c.Password != "" {
		conf.Auth = append(conf.Auth, ssh.Password(c.Password), ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
			answers := make([]string, len(questions))
			for i := range answers {
				answers[i] = c.Password
			}
			return answers, nil
		}))
	}
	socket := c.AgentSocketPath
	if socket == "" {
		socket = os.Getenv("SSH_AUTH_SOCK")
	}
	if socket != "" {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			if c.AgentSocketPath != "" {
				return nil, done, fmt.Errorf("SSH agent: %w", err)
			}
		} else {
			done = func() { _ = conn.Close() }
			conf.Auth = append(conf.Auth, ssh.PublicKeysCallback(agent.NewClient(conn).Signers))
		}
	}
	return conf, done, nil
}

// keyAlgorithms lists how a host with a key of this type may sign: RSA keys also by the newer hashes.
func keyAlgorithms(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA}
	}
	return []string{keyType}
}

// dial connects, by way of the proxy if there is one, and tries again until the limit of errors is reached.
func dial(c *provider.Call, to *connection) (*ssh.Client, func(), error) {
	conf, done, err := to.config()
	if err != nil {
		return nil, done, err
	}
	var via *ssh.Client
	closeAll := done
	if to.Proxy != nil {
		proxy, closeProxy, err := dial(c, to.Proxy)
		if err != nil {
			done()
			return nil, closeProxy, fmt.Errorf("proxy: %w", err)
		}
		via, closeAll = proxy, func() { closeProxy(); done() }
	}
	limit := 10
	if to.DialErrorLimit != nil {
		limit = *to.DialErrorLimit
	}
	timeout := 15 * time.Second
	if to.PerDialTimeout != nil {
		timeout = time.Duration(*to.PerDialTimeout) * time.Second
	}
	for tries, slow := 0, 0; ; tries++ {
		client, err := dialOnce(c, via, to.address(), conf, timeout)
		if err == nil {
			return client, func() { _ = client.Close(); closeAll() }, nil
		}
		if c.Err() != nil {
			closeAll()
			return nil, func() {}, c.Err()
		}
		if !soon(err) || (tries+1)%refusedAllowance == 0 {
			slow++
		}
		if limit >= 0 && slow > limit {
			closeAll()
			return nil, func() {}, fmt.Errorf("after %d dial attempts to %s: %w", tries+1, to.address(), err)
		}
		if tries%4 == 1 {
			c.Status(fmt.Sprintf("waiting for %s: %v", to.address(), err))
		}
		select {
		case <-time.After(retryEvery):
		case <-c.Done():
		}
	}
}

// soon says that an error came at once and will come many times while a machine boots.
func soon(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout() || strings.Contains(err.Error(), "EOF") || strings.Contains(err.Error(), "reset by peer")
}

func dialOnce(ctx context.Context, via *ssh.Client, address string, conf *ssh.ClientConfig, timeout time.Duration) (*ssh.Client, error) {
	if timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		ctx = limited
	}
	var conn net.Conn
	var err error
	if via != nil {
		conn, err = via.DialContext(ctx, "tcp", address)
	} else {
		conn, err = (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, err
	}
	// The handshake has no context of its own: closing the connection ends it.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	sc, chans, reqs, err := ssh.NewClientConn(conn, address, conf)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return ssh.NewClient(sc, chans, reqs), nil
}
