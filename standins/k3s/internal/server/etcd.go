package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"groundwork/standins/k3s/internal/agent"
	"groundwork/standins/k3s/internal/config"
	"groundwork/standins/k3s/internal/pki"
	"groundwork/standins/k3s/internal/supervise"
	"groundwork/standins/k3s/internal/supervisor"
	"groundwork/standins/k3s/internal/token"
)

const (
	etcdEndpoint = "https://127.0.0.1:2379"
	etcdHealth   = "http://127.0.0.1:2381/health?serializable=true"
)

// startEtcd starts this server's etcd, as the first member of a cluster or as one more.
func (s *Server) startEtcd(ctx context.Context) error {
	c, own := s.Config, s.etcdFlags()
	fresh := false
	if _, err := os.Stat(c.Server("db", "etcd", "member")); errors.Is(err, os.ErrNotExist) {
		fresh = true
	}
	if fresh && s.join != nil {
		if err := agent.Retry(ctx, s.Log, "a place in etcd", func() error { return s.joinEtcd(ctx, own) }); err != nil {
			return err
		}
	}
	s.Group.Start(supervise.Child{Name: "etcd", Store: true, Log: s.Log, Args: agent.Flags("etcd", own, c.EtcdArg)})
	if s.join != nil {
		go s.promote(ctx, s.join)
		if fresh {
			return s.awaitPromoted(ctx)
		}
	}
	return s.awaitEtcd(ctx)
}

// etcdFlags are etcd's flags for the first member of a cluster.
func (s *Server) etcdFlags() map[string]string {
	c := s.Config
	return map[string]string{
		"name": c.NodeName, "data-dir": c.Server("db", "etcd"),
		"listen-client-urls":    etcdEndpoint + "," + "https://" + c.NodeIP[0] + ":2379",
		"advertise-client-urls": "https://" + c.NodeIP[0] + ":2379",
		"listen-peer-urls":      "https://127.0.0.1:2380,https://" + c.NodeIP[0] + ":2380", "initial-advertise-peer-urls": s.peer(),
		"listen-metrics-urls": "http://127.0.0.1:2381",
		"client-cert-auth":    "true", "trusted-ca-file": c.TLS("etcd", "server-ca.crt"),
		"cert-file": c.TLS("etcd", "server-client.crt"), "key-file": c.TLS("etcd", "server-client.key"),
		"peer-client-cert-auth": "true", "peer-trusted-ca-file": c.TLS("etcd", "peer-ca.crt"),
		"peer-cert-file": c.TLS("etcd", "peer-server-client.crt"), "peer-key-file": c.TLS("etcd", "peer-server-client.key"),
		"heartbeat-interval": "500", "election-timeout": "5000", "log-level": "warn",
		// Entries kept in memory for slow members: the default of 10,000 costs tens of megabytes.
		"snapshot-count": "2000", "snapshot-catchup-entries": "1000",
		"auto-compaction-mode": "periodic", "auto-compaction-retention": "30m",
		"initial-cluster": c.NodeName + "=" + s.peer(), "initial-cluster-state": "new",
	}
}

// etcdArgs is etcd's argv, with more flags.
func (s *Server) etcdArgs(more map[string]string) []string {
	own := s.etcdFlags()
	for k, v := range more {
		own[k] = v
	}
	return agent.Flags("etcd", own, s.Config.EtcdArg)
}

func (s *Server) peer() string { return "https://" + s.Config.NodeIP[0] + ":2380" }

func (s *Server) awaitEtcd(ctx context.Context) error {
	client := http.Client{Timeout: 2 * time.Second}
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, etcdHealth, nil)
		if err != nil {
			return err
		}
		if res, err := client.Do(r); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// bootstrap gets from the server that this one joins what all servers share, unless an earlier start did.
func (s *Server) bootstrap(ctx context.Context) error {
	c := s.Config
	if _, err := os.Stat(c.Server("db", "etcd", "member")); err == nil {
		// A member comes back by itself, also when the server that it joined by is gone; but one that was stopped before
		// it had caught up is still to be promoted.
		go s.promoteLater(ctx)
		return nil
	}
	return agent.Retry(ctx, s.Log, "the server "+c.ServerURL, func() error {
		client, err := agent.Connect(ctx, c.ServerURL, c.Token)
		if err != nil {
			return err
		}
		var b supervisor.Bootstrap
		if _, err := client.Get(ctx, "/v1-k3s/server-bootstrap", &b); err != nil {
			return err
		}
		if there := b.Cluster; !s.cluster.SameAs(there) {
			return agent.Stop(fmt.Errorf("critical settings differ from those of %s: here %+v, there %+v", c.ServerURL, s.cluster, there))
		}
		for name, content := range b.Files {
			file := c.TLS(name)
			if name == encryptionFile {
				file = c.Server("cred", name)
			}
			if err := pki.WriteFile(file, content, 0o600); err != nil {
				return err
			}
		}
		t, err := token.Parse(c.Token)
		if err != nil {
			return err
		}
		c.Token = t.Password
		if b.Agent != t.Password && c.AgentToken == "" {
			c.AgentToken = b.Agent
		}
		s.join = client
		return nil
	})
}

// joinEtcd asks for membership and fills in what etcd must know of the others.
func (s *Server) joinEtcd(ctx context.Context, own map[string]string) error {
	var members []supervisor.Member
	if err := s.join.Post(ctx, "/db/members", supervisor.MemberRequest{Name: s.Config.NodeName, Peer: s.peer()}, &members); err != nil {
		return err
	}
	var all []string
	for _, m := range members {
		for _, p := range m.Peers {
			name := m.Name
			if p == s.peer() {
				name = s.Config.NodeName
			}
			if name == "" {
				return fmt.Errorf("the member at %s has not started yet", p)
			}
			all = append(all, name+"="+p)
		}
	}
	own["initial-cluster"], own["initial-cluster-state"] = strings.Join(all, ","), "existing"
	return nil
}

// promoteLater promotes by way of the configured server, if it is ever to be reached.
func (s *Server) promoteLater(ctx context.Context) {
	for ctx.Err() == nil {
		if client, err := agent.Connect(ctx, s.Config.ServerURL, s.Config.Token); err == nil {
			s.promote(ctx, client)
			return
		}
		select {
		case <-time.After(5 * time.Second):
		case <-ctx.Done():
		}
	}
}

// promote makes this member a voting one once it has caught up.
func (s *Server) promote(ctx context.Context, by *agent.Client) {
	for ctx.Err() == nil {
		var members []supervisor.Member
		if _, err := by.Get(ctx, "/db/info", &members); err == nil {
			for _, m := range members {
				if len(m.Peers) == 0 || m.Peers[0] != s.peer() {
					continue
				}
				if !m.Learner && m.Name != "" {
					return
				}
				_ = by.Post(ctx, "/db/members", supervisor.MemberRequest{Promote: m.ID}, nil) // refused until it has caught up
			}
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// awaitPromoted waits until this member votes: a learner serves no writes.
func (s *Server) awaitPromoted(ctx context.Context) error {
	return agent.Retry(ctx, s.Log, "etcd to catch up", func() error {
		var members []supervisor.Member
		if _, err := s.join.Get(ctx, "/db/info", &members); err != nil {
			return err
		}
		for _, m := range members {
			if len(m.Peers) > 0 && m.Peers[0] == s.peer() && !m.Learner && m.Name != "" {
				return nil
			}
		}
		return errors.New("not a voting member yet")
	})
}

// EtcdClient reaches the etcd of the server that c describes.
func EtcdClient(c *config.Config) supervisor.EtcdClient {
	return supervisor.EtcdClient{Endpoint: etcdEndpoint, TLSDir: c.TLS("etcd")}
}
