package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	"groundwork/standins/k3s/internal/config"
	"groundwork/standins/k3s/internal/pki"
)

// balancerAddress is where an agent's own components reach the API, as in K3s: whichever server answers.
const balancerAddress = "127.0.0.1:6444"

// Balancer passes connections on to one server after the other. It works on bytes: TLS ends at the API server.
type Balancer struct {
	client   *Client
	file     string // the servers known so far, so that a restart does not depend on the one in the configuration
	listener net.Listener

	mu      sync.Mutex
	servers []string
}

// NewBalancer listens.
func NewBalancer(c *config.Config, client *Client) (*Balancer, error) {
	u, err := url.Parse(c.ServerURL)
	if err != nil {
		return nil, err
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "6443")
	}
	l, err := net.Listen("tcp", balancerAddress)
	if err != nil {
		return nil, fmt.Errorf("the agent's balancer: %w", err)
	}
	b := &Balancer{client: client, file: c.Agent("etc", "k3s-agent-load-balancer.json"), listener: l, servers: []string{host}}
	if raw, err := os.ReadFile(b.file); err == nil {
		var known []string
		if json.Unmarshal(raw, &known) == nil && len(known) > 0 {
			b.servers = known
		}
	}
	return b, nil
}

// URL is the API through the balancer.
func (b *Balancer) URL() string { return "https://" + balancerAddress }

// Run accepts connections and refreshes the list of servers, until ctx ends.
func (b *Balancer) Run(ctx context.Context) {
	go b.refresh(ctx)
	b.accept(ctx)
}

func (b *Balancer) accept(ctx context.Context) {
	go func() { <-ctx.Done(); b.listener.Close() }()
	for {
		c, err := b.listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
			continue
		}
		go b.serve(c)
	}
}

func (b *Balancer) refresh(ctx context.Context) {
	for {
		var now []string
		if _, err := b.client.Get(ctx, "/v1-k3s/apiservers", &now); err == nil && len(now) > 0 {
			b.set(now)
		}
		select {
		case <-time.After(15 * time.Second):
		case <-ctx.Done():
			return
		}
	}
}

func (b *Balancer) set(servers []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if fmt.Sprint(servers) == fmt.Sprint(b.servers) {
		return
	}
	b.servers = servers
	if raw, err := json.Marshal(servers); err == nil {
		_ = pki.WriteFile(b.file, raw, 0o600)
	}
	// The supervisor is asked through the balancer from here on: it must not depend on one server.
	b.client.URL = b.URL()
}

// serve tries the servers in order; one that failed goes to the end, so that later connections start with one that works.
func (b *Balancer) serve(in net.Conn) {
	defer in.Close()
	b.mu.Lock()
	servers := append([]string{}, b.servers...)
	b.mu.Unlock()
	for _, s := range servers {
		out, err := net.DialTimeout("tcp", s, 3*time.Second)
		if err != nil {
			b.demote(s)
			continue
		}
		defer out.Close()
		done := make(chan struct{}, 2)
		pipe := func(to, from net.Conn) {
			_, _ = io.Copy(to, from)
			if t, ok := to.(*net.TCPConn); ok {
				_ = t.CloseWrite()
			}
			done <- struct{}{}
		}
		go pipe(out, in)
		go pipe(in, out)
		<-done
		<-done
		return
	}
}

func (b *Balancer) demote(server string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.servers) > 1 && b.servers[0] == server {
		b.servers = append(append([]string{}, b.servers[1:]...), server)
	}
}
