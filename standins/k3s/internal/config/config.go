// Package config reads a node's settings the way K3s does: built-in defaults, environment, /etc/rancher/k3s/config.yaml,
// config.yaml.d/*.yaml in order, then the command line, each overriding what came before.
package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Role is what the process is: a server also runs the agent's parts.
type Role string

const (
	Server Role = "server"
	Agent  Role = "agent"
)

// Config is every setting that the node knows. Field comments give the K3s key where it is not plain from the name.
type Config struct {
	Role Role

	// Where settings and data live.
	File    string // --config
	DataDir string

	// Joining.
	Token          string
	TokenFile      string
	AgentToken     string
	AgentTokenFile string
	ServerURL      string // server
	ClusterInit    bool

	// Listening and naming.
	NodeName         string
	NodeIP           []string
	NodeExternalIP   []string
	BindAddress      string
	HTTPSListenPort  int
	AdvertiseAddress string
	TLSSAN           []string
	NodeLabels       []string
	NodeTaints       []string

	// Networking.
	ClusterCIDR       string
	ServiceCIDR       string
	ServiceNodePorts  string // service-node-port-range
	ClusterDNS        string
	ClusterDomain     string
	FlannelBackend    string
	FlannelIface      string
	EgressSelector    string
	DisableNetPol     bool // disable-network-policy
	DisableKubeProxy  bool
	DisableCloudCtl   bool // disable-cloud-controller
	DisableHelm       bool // disable-helm-controller
	ResolvConf        string
	Disable           []string
	LocalStoragePath  string // default-local-storage-path
	ServiceLBNS       string // servicelb-namespace
	DisableAPIServer  bool
	PauseImage        string
	Snapshotter       string
	PrivateRegistry   string
	Kubeconfig        string // write-kubeconfig
	KubeconfigMode    string // write-kubeconfig-mode
	SecretsEncryption bool
	SecretsProvider   string // secrets-encryption-provider
	ProtectKernel     bool   // protect-kernel-defaults

	// Snapshots of etcd.
	SnapshotsOff      bool // etcd-disable-snapshots
	SnapshotCron      string
	SnapshotRetention int
	SnapshotDir       string
	SnapshotName      string
	Reset             bool   // cluster-reset
	ResetRestorePath  string // cluster-reset-restore-path

	// Flags handed through to the components.
	KubeletArg    []string
	APIServerArg  []string
	ControllerArg []string
	SchedulerArg  []string
	ProxyArg      []string
	EtcdArg       []string

	// Logging.
	Debug     bool
	Verbosity int // -v

	// Warnings are keys that were understood but have no effect here.
	Warnings []string
}

// Defaults are K3s's own.
func Defaults(role Role) *Config {
	return &Config{
		Role: role, File: "/etc/rancher/k3s/config.yaml", DataDir: "/var/lib/rancher/k3s",
		BindAddress: "0.0.0.0", HTTPSListenPort: 6443,
		ClusterCIDR: "10.42.0.0/16", ServiceCIDR: "10.43.0.0/16", ServiceNodePorts: "30000-32767",
		ClusterDomain: "cluster.local", FlannelBackend: "vxlan", EgressSelector: "agent", ServiceLBNS: "kube-system",
		PauseImage: "rancher/mirrored-pause:3.6", Snapshotter: "overlayfs", PrivateRegistry: "/etc/rancher/k3s/registries.yaml",
		Kubeconfig: "/etc/rancher/k3s/k3s.yaml", KubeconfigMode: "600", SecretsProvider: "aescbc",
		SnapshotCron: "0 */12 * * *", SnapshotRetention: 5, SnapshotName: "etcd-snapshot",
	}
}

// Disabled tells whether a packaged component (coredns, servicelb, local-storage, metrics-server, ...) is off.
func (c *Config) Disabled(component string) bool {
	for _, d := range c.Disable {
		if d == component {
			return true
		}
	}
	return false
}

// Clustered tells whether this server shares its etcd with others, now or later.
func (c *Config) Clustered() bool { return c.ClusterInit || c.ServerURL != "" }

// Server is a path below the data directory's server folder.
func (c *Config) Server(parts ...string) string {
	return filepath.Join(append([]string{c.DataDir, "server"}, parts...)...)
}

// Agent is a path below the data directory's agent folder.
func (c *Config) Agent(parts ...string) string {
	return filepath.Join(append([]string{c.DataDir, "agent"}, parts...)...)
}

// TLS is a path below the server's certificate folder.
func (c *Config) TLS(parts ...string) string {
	return c.Server(append([]string{"tls"}, parts...)...)
}

// finish checks what was read and derives what was left open.
func (c *Config) finish() error {
	if c.TokenFile != "" && c.Token == "" {
		b, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return fmt.Errorf("token-file: %w", err)
		}
		c.Token = strings.TrimSpace(string(b))
	}
	if c.AgentTokenFile != "" && c.AgentToken == "" {
		b, err := os.ReadFile(c.AgentTokenFile)
		if err != nil {
			return fmt.Errorf("agent-token-file: %w", err)
		}
		c.AgentToken = strings.TrimSpace(string(b))
	}
	if c.NodeName == "" {
		h, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("node-name: %w", err)
		}
		c.NodeName = h
	}
	c.NodeName = strings.ToLower(strings.TrimSpace(c.NodeName))
	if c.Role == Agent {
		if c.ServerURL == "" {
			return fmt.Errorf("server: an agent needs the URL of a server, such as https://10.0.0.1:6443")
		}
		if c.Token == "" {
			return fmt.Errorf("token: an agent needs the cluster's token (token or token-file)")
		}
	}
	if c.ServerURL != "" {
		if !strings.HasPrefix(c.ServerURL, "https://") {
			return fmt.Errorf("server: %q must be an https:// URL", c.ServerURL)
		}
		if c.Role == Server && c.Token == "" {
			return fmt.Errorf("token: joining a cluster needs its token (token or token-file)")
		}
	}
	service, err := ipv4Prefix("service-cidr", c.ServiceCIDR)
	if err != nil {
		return err
	}
	pods, err := ipv4Prefix("cluster-cidr", c.ClusterCIDR)
	if err != nil {
		return err
	}
	if service.Overlaps(pods) {
		return fmt.Errorf("service-cidr: %s overlaps cluster-cidr %s", service, pods)
	}
	if c.ClusterDNS == "" {
		c.ClusterDNS = nth(service, 10).String()
	}
	if a, err := netip.ParseAddr(c.ClusterDNS); err != nil || !service.Contains(a) {
		return fmt.Errorf("cluster-dns: %q is not an address of service-cidr %s", c.ClusterDNS, service)
	}
	for _, ip := range append(append([]string{}, c.NodeIP...), c.NodeExternalIP...) {
		if _, err := netip.ParseAddr(ip); err != nil {
			return fmt.Errorf("node-ip: %q is not an address", ip)
		}
	}
	if len(c.NodeIP) == 0 {
		ip, err := defaultAddress(c.FlannelIface)
		if err != nil {
			return fmt.Errorf("node-ip: %w", err)
		}
		c.NodeIP = []string{ip}
	}
	if c.AdvertiseAddress == "" {
		c.AdvertiseAddress = c.NodeIP[0]
		if len(c.NodeExternalIP) > 0 {
			c.AdvertiseAddress = c.NodeExternalIP[0]
		}
	}
	switch c.FlannelBackend {
	case "vxlan", "host-gw", "none":
	default:
		return fmt.Errorf("flannel-backend: %q is not supported here (vxlan, host-gw or none)", c.FlannelBackend)
	}
	switch c.Snapshotter {
	case "overlayfs", "native":
	default:
		return fmt.Errorf("snapshotter: %q is not supported here (overlayfs or native)", c.Snapshotter)
	}
	switch c.SecretsProvider {
	case "aescbc", "secretbox":
	default:
		return fmt.Errorf("secrets-encryption-provider: %q is not one of aescbc, secretbox", c.SecretsProvider)
	}
	if _, err := strconv.ParseUint(c.KubeconfigMode, 8, 32); err != nil {
		return fmt.Errorf("write-kubeconfig-mode: %q is not an octal mode", c.KubeconfigMode)
	}
	if c.SnapshotDir == "" {
		c.SnapshotDir = c.Server("db", "snapshots")
	}
	if c.LocalStoragePath == "" {
		c.LocalStoragePath = filepath.Join(c.DataDir, "storage")
	}
	return nil
}

func ipv4Prefix(key, s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is4() {
		return p, fmt.Errorf("%s: %q is not an IPv4 network such as 10.42.0.0/16", key, s)
	}
	return p.Masked(), nil
}

// nth is the nth address of p: 1 is the kubernetes Service, 10 the cluster's DNS.
func nth(p netip.Prefix, n int) netip.Addr {
	a := p.Addr()
	for ; n > 0; n-- {
		a = a.Next()
	}
	return a
}

// ServiceIP is the kubernetes Service's cluster IP: the first of service-cidr.
func (c *Config) ServiceIP() string {
	return nth(netip.MustParsePrefix(c.ServiceCIDR).Masked(), 1).String()
}
