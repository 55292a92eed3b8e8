// Package server is a server's control plane: certificates, etcd, API server, controllers, and the files that K3s keeps.
package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"groundwork/standins/k3s/internal/agent"
	"groundwork/standins/k3s/internal/config"
	"groundwork/standins/k3s/internal/pki"
	"groundwork/standins/k3s/internal/supervise"
	"groundwork/standins/k3s/internal/supervisor"
	"groundwork/standins/k3s/manifests"
)

// Server is one server in the making.
type Server struct {
	Config     *config.Config
	Group      *supervise.Group
	Log        io.Writer
	Version    string
	Supervisor string // name of the environment variable that carries the supervisor's settings to the API server

	password string
	cluster  supervisor.Cluster
	join     *agent.Client // the server that this one joins, if any
}

// Cluster is what the nodes must agree on.
func (s *Server) Cluster() supervisor.Cluster { return s.cluster }

// URL is where this server's own parts reach the API.
func (s *Server) URL() string {
	return "https://127.0.0.1:" + strconv.Itoa(s.Config.HTTPSListenPort)
}

// Token is this server's own full token, for its agent half.
func (s *Server) Token() (string, error) {
	b, err := os.ReadFile(s.Config.Server("token"))
	return string(b), err
}

// Start brings the control plane up and returns when the API server is ready.
func (s *Server) Start(ctx context.Context) error {
	c := s.Config
	s.cluster = supervisor.Cluster{
		ClusterCIDR: c.ClusterCIDR, ServiceCIDR: c.ServiceCIDR, ClusterDNS: c.ClusterDNS, ClusterDomain: c.ClusterDomain,
		FlannelBackend: c.FlannelBackend, DisableNetPol: c.DisableNetPol, DisableKubeProxy: c.DisableKubeProxy,
		SecretsEncryption: c.SecretsEncryption, Version: s.Version,
	}
	for _, d := range []string{c.Server(), c.Server("cred"), c.Server("db"), c.Server("manifests"), c.Server("logs"), c.TLS()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
		if err := os.Chmod(d, 0o700); err != nil {
			return err
		}
	}
	if c.ServerURL != "" {
		if err := s.bootstrap(ctx); err != nil {
			return err
		}
	}
	if err := s.files(); err != nil {
		return err
	}
	if err := s.startEtcd(ctx); err != nil {
		return err
	}
	if err := s.startAPIServer(); err != nil {
		return err
	}
	if err := s.awaitReady(ctx); err != nil {
		return err
	}
	s.startControllers(ctx)
	return nil
}

// files writes certificates, tokens, kubeconfigs and the packaged manifests.
func (s *Server) files() error {
	c := s.Config
	addresses := append([]string{"127.0.0.1", "::1", c.AdvertiseAddress}, c.NodeIP...)
	addresses = append(append(addresses, c.NodeExternalIP...), c.TLSSAN...)
	if _, err := pki.EnsureServer(c.TLS(), pki.Names{NodeName: c.NodeName, Addresses: addresses, ServiceIP: c.ServiceIP(), ClusterDomain: c.ClusterDomain}); err != nil {
		return err
	}
	if err := s.tokens(); err != nil {
		return err
	}
	if c.SecretsEncryption {
		if err := ensureEncryption(c.Server("cred"), c.SecretsProvider); err != nil {
			return err
		}
	}
	for name, cert := range map[string]string{"admin": "client-admin", "controller": "client-controller", "scheduler": "client-scheduler", "supervisor": "client-supervisor"} {
		if err := pki.Kubeconfig(c.Server("cred", name+".kubeconfig"), s.URL(), c.TLS("server-ca.crt"), c.TLS(cert+".crt"), c.TLS(cert+".key"), false, 0o600); err != nil {
			return err
		}
	}
	mode, err := strconv.ParseUint(c.KubeconfigMode, 8, 32)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.Kubeconfig), 0o755); err != nil {
		return err
	}
	if err := pki.Kubeconfig(c.Kubeconfig, s.URL(), c.TLS("server-ca.crt"), c.TLS("client-admin.crt"), c.TLS("client-admin.key"), true, os.FileMode(mode)); err != nil {
		return err
	}
	return s.packaged()
}

// packaged writes the packaged components, and takes away those that are disabled.
func (s *Server) packaged() error {
	c := s.Config
	v := manifests.Values{ClusterDNS: c.ClusterDNS, ClusterDomain: c.ClusterDomain, StoragePath: c.LocalStoragePath, Forward: agent.HasResolver(c.ResolvConf)}
	for name, file := range manifests.Packaged {
		path := c.Server("manifests", file)
		if c.Disabled(name) {
			if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
				return err
			}
			continue
		}
		b, err := manifests.Render(file, v)
		if err != nil {
			return err
		}
		if err := pki.WriteFile(path, b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) startAPIServer() error {
	c := s.Config
	settings := supervisor.Settings{
		TLSDir: c.TLS(), TokenFile: c.Server("token"), AgentFile: c.Server("agent-token"), Cluster: s.cluster,
		Etcd: supervisor.EtcdClient{Endpoint: etcdEndpoint, TLSDir: c.TLS("etcd")},
	}
	if c.SecretsEncryption {
		settings.Encryption = c.Server("cred", encryptionFile)
	}
	b, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	s.Group.Start(supervise.Child{
		Name: "kube-apiserver", Log: s.Log, Args: s.apiServerArgs(),
		Env: []string{s.Supervisor + "=" + string(b)},
	})
	return nil
}

func (s *Server) startControllers(ctx context.Context) {
	names := []string{"kube-controller-manager", "kube-scheduler"}
	if s.Config.Clustered() {
		if err := s.dropOwnLeases(ctx, names); err != nil {
			fmt.Fprintf(s.Log, "leases of an earlier start: %v; waiting until they end\n", err)
		}
	}
	s.Group.Start(supervise.Child{Name: names[0], Log: s.Log, Args: s.controllerArgs()})
	s.Group.Start(supervise.Child{Name: names[1], Log: s.Log, Args: s.schedulerArgs()})
}

// awaitReady waits for the API server's /readyz, as the administrator.
func (s *Server) awaitReady(ctx context.Context) error {
	c := s.Config
	cert, err := tls.LoadX509KeyPair(c.TLS("client-admin.crt"), c.TLS("client-admin.key"))
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(c.TLS("server-ca.crt"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/readyz", nil)
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
		case <-time.After(150 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
