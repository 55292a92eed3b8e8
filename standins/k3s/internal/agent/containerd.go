package agent

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"groundwork/standins/k3s/internal/pki"
)

// Socket is where containerd answers; State is what must outlive a restart of the service but not of the machine.
const (
	Socket = "/run/k3s/containerd/containerd.sock"
	state  = "/run/k3s/containerd"
)

const containerdConfig = `# Written at each start. Settings of one's own belong into config.toml.tmpl's place in K3s; this stand-in has none.
version = 3
root = "%[1]s"
state = "%[2]s"
disabled_plugins = ["io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.erofs", "io.containerd.differ.v1.erofs",
  "io.containerd.mount-handler.v1.erofs", "io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]

[grpc]
  address = "%[2]s/containerd.sock"

[plugins.'io.containerd.internal.v1.opt']
  path = "%[1]s"

[plugins.'io.containerd.grpc.v1.cri']
  stream_server_address = "127.0.0.1"
  stream_server_port = "10010"

[plugins.'io.containerd.cri.v1.runtime']
  enable_selinux = false
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  device_ownership_from_security_context = false
  restrict_oom_score_adj = %[3]t

[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["%[4]s"]
  conf_dir = "%[5]s"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  BinaryName = "%[4]s/runc"
  SystemdCgroup = false

[plugins.'io.containerd.cri.v1.images']
  snapshotter = "%[6]s"
  disable_snapshot_annotations = true

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "%[7]s"

[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = "%[8]s"
`

func (n *Node) writeContainerdConfig() error {
	cfg := n.Config
	for _, d := range []string{cfg.Agent("containerd"), cfg.Agent("images"), cfg.Agent("etc", "cni", "net.d"), state} {
		if err := os.MkdirAll(d, 0o711); err != nil {
			return err
		}
	}
	certs := cfg.Agent("etc", "containerd", "certs.d")
	if err := writeMirrors(cfg.PrivateRegistry, certs); err != nil {
		return err
	}
	text := fmt.Sprintf(containerdConfig, cfg.Agent("containerd"), state, !hasSysResource(), n.Bin,
		cfg.Agent("etc", "cni", "net.d"), cfg.Snapshotter, cfg.PauseImage, certs)
	return pki.WriteFile(cfg.Agent("etc", "containerd", "config.toml"), []byte(text), 0o600)
}

// registries is the part of K3s's registries.yaml that is understood: mirrors, and TLS and credentials per endpoint host.
type registries struct {
	Mirrors map[string]struct {
		Endpoint []string          `json:"endpoint"`
		Rewrite  map[string]string `json:"rewrite"`
	} `json:"mirrors"`
	Configs map[string]struct {
		Auth *struct {
			Username string `json:"username"`
			Password string `json:"password"`
		} `json:"auth"`
		TLS *struct {
			CAFile             string `json:"ca_file"`
			CertFile           string `json:"cert_file"`
			KeyFile            string `json:"key_file"`
			InsecureSkipVerify bool   `json:"insecure_skip_verify"`
		} `json:"tls"`
	} `json:"configs"`
}

// writeMirrors turns registries.yaml into containerd's hosts.toml files; without one the folder is emptied.
func writeMirrors(file, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	out, err := hostsFiles(b)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for host, text := range out {
		if err := pki.WriteFile(filepath.Join(dir, host, "hosts.toml"), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// hostsFiles is the content of hosts.toml by the folder's name; the mirror "*" is containerd's _default.
func hostsFiles(document []byte) (map[string]string, error) {
	var r registries
	if err := yaml.UnmarshalStrict(document, &r); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for name, m := range r.Mirrors {
		if len(m.Rewrite) > 0 {
			return nil, fmt.Errorf("mirrors.%s.rewrite is not supported here", name)
		}
		var w strings.Builder
		folder, upstream := name, "https://"+name
		switch name {
		case "*":
			folder, upstream = "_default", ""
		case "docker.io":
			upstream = "https://registry-1.docker.io"
		}
		if upstream != "" {
			fmt.Fprintf(&w, "server = %q\n", upstream)
		}
		for _, e := range m.Endpoint {
			u, err := url.Parse(e)
			if err != nil || u.Host == "" {
				return nil, fmt.Errorf("mirrors.%s.endpoint: %q is not a URL", name, e)
			}
			fmt.Fprintf(&w, "\n[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", e)
			c, ok := r.Configs[u.Host]
			if !ok {
				continue
			}
			if c.Auth != nil {
				return nil, fmt.Errorf("configs.%s.auth is not supported here", u.Host)
			}
			if t := c.TLS; t != nil {
				if t.InsecureSkipVerify {
					fmt.Fprintf(&w, "  skip_verify = true\n")
				}
				if t.CAFile != "" {
					fmt.Fprintf(&w, "  ca = %q\n", t.CAFile)
				}
				if t.CertFile != "" {
					fmt.Fprintf(&w, "  client = [[%q, %q]]\n", t.CertFile, t.KeyFile)
				}
			}
		}
		out[folder] = w.String()
	}
	return out, nil
}
