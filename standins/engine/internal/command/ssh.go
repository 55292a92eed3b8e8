package command

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
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

// Pauses between two attempts to dial grow up to longestPause. Machines that boot answer within seconds, so that is shorter than
// in the official provider, which goes up to officialPause.
const (
	firstPause    = 100 * time.Millisecond
	longestPause  = 500 * time.Millisecond
	officialPause = 5 * time.Second
)

// pause is the pause after a number of failed attempts, each half as long again as the one before it.
func pause(failed int, longest time.Duration) time.Duration {
	p := firstPause
	for i := 1; i < failed && p < longest; i++ {
		p += p / 2
	}
	return min(p, longest)
}

// patience is how long the official provider's pauses are in all for a limit of errors. As the pauses here are shorter, attempts
// go on until both the number of errors and this time have passed: a limit must not mean less waiting than with the official part.
func patience(limit int) time.Duration {
	var sum time.Duration
	for i := 1; i <= limit; i++ {
		sum += pause(i, officialPause)
	}
	return sum
}

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
	waited := time.Duration(0)
	for failed := 1; ; failed++ {
		client, err := dialOnce(c, via, to.address(), conf, timeout)
		if err == nil {
			return client, func() { _ = client.Close(); closeAll() }, nil
		}
		if c.Err() != nil {
			closeAll()
			return nil, func() {}, c.Err()
		}
		if limit >= 0 && failed > limit && waited >= patience(limit) {
			closeAll()
			return nil, func() {}, fmt.Errorf("after %d failed attempts: %w", failed-1, err)
		}
		c.Status(fmt.Sprintf("Dial %s, attempt %d failed: retrying", to.address(), failed))
		wait := pause(failed, longestPause)
		waited += wait
		select {
		case <-time.After(wait):
		case <-c.Done():
		}
	}
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
