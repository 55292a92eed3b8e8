package server

import (
	"fmt"
	"os"

	"groundwork/standins/k3s/internal/pki"
	"groundwork/standins/k3s/internal/token"
)

// tokens writes server/token, node-token and agent-token in the secure form.
func (s *Server) tokens() error {
	c := s.Config
	ca, err := os.ReadFile(c.TLS("server-ca.crt"))
	if err != nil {
		return err
	}
	if s.password, err = token.Ensure(c.Token, c.Server("token")); err != nil {
		return err
	}
	if err := pki.WriteFile(c.Server("token"), []byte(token.Full(ca, token.ServerUser, s.password)+"\n"), 0o600); err != nil {
		return err
	}
	if err := link("token", c.Server("node-token")); err != nil {
		return err
	}
	if c.AgentToken == "" {
		// A joined server got the agents' token with its bootstrap, and keeps it.
		if st, err := os.Lstat(c.Server("agent-token")); err == nil && st.Mode().IsRegular() {
			return nil
		}
		return link("token", c.Server("agent-token"))
	}
	t, err := token.Parse(c.AgentToken)
	if err != nil {
		return fmt.Errorf("agent-token: %w", err)
	}
	return pki.WriteFile(c.Server("agent-token"), []byte(token.Full(ca, token.NodeUser, t.Password)+"\n"), 0o600)
}

func link(to, name string) error {
	if now, err := os.Readlink(name); err == nil && now == to {
		return nil
	}
	_ = os.Remove(name)
	return os.Symlink(to, name)
}
