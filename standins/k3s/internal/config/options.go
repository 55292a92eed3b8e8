package config

import (
	"fmt"
	"strconv"
	"strings"
)

// option is one K3s setting: its key in config.yaml, which is also its flag's name.
type option struct {
	key    string
	env    string
	short  string
	target any  // *string, *bool, *int, *[]string, csv or ignored
	server bool // only servers use it; an agent's file may still carry it
}

// csv is a list whose values may also be given joined by commas.
type csv struct{ list *[]string }

// ignored is a key that K3s has and that makes no difference here; given, it leads to a warning.
type ignored string

// options is the whole table; docs/decisions/k3s-surface.md has the documentation page of each.
func (c *Config) options() []option {
	return []option{
		{key: "config", env: "K3S_CONFIG_FILE", short: "c", target: &c.File},
		{key: "debug", env: "K3S_DEBUG", target: &c.Debug},
		{key: "v", short: "v", target: &c.Verbosity},
		{key: "data-dir", env: "K3S_DATA_DIR", short: "d", target: &c.DataDir},
		{key: "token", env: "K3S_TOKEN", short: "t", target: &c.Token},
		{key: "token-file", env: "K3S_TOKEN_FILE", target: &c.TokenFile},
		{key: "agent-token", env: "K3S_AGENT_TOKEN", target: &c.AgentToken, server: true},
		{key: "agent-token-file", env: "K3S_AGENT_TOKEN_FILE", target: &c.AgentTokenFile, server: true},
		{key: "server", env: "K3S_URL", short: "s", target: &c.ServerURL},
		{key: "cluster-init", env: "K3S_CLUSTER_INIT", target: &c.ClusterInit, server: true},
		{key: "node-name", env: "K3S_NODE_NAME", target: &c.NodeName},
		{key: "node-ip", short: "i", target: csv{&c.NodeIP}},
		{key: "node-external-ip", target: csv{&c.NodeExternalIP}},
		{key: "node-label", target: &c.NodeLabels},
		{key: "node-taint", target: &c.NodeTaints},
		{key: "bind-address", target: &c.BindAddress},
		{key: "https-listen-port", target: &c.HTTPSListenPort, server: true},
		{key: "advertise-address", target: &c.AdvertiseAddress, server: true},
		{key: "tls-san", target: csv{&c.TLSSAN}, server: true},
		{key: "cluster-cidr", target: &c.ClusterCIDR, server: true},
		{key: "service-cidr", target: &c.ServiceCIDR, server: true},
		{key: "service-node-port-range", target: &c.ServiceNodePorts, server: true},
		{key: "cluster-dns", target: &c.ClusterDNS, server: true},
		{key: "cluster-domain", target: &c.ClusterDomain, server: true},
		{key: "flannel-backend", target: &c.FlannelBackend, server: true},
		{key: "flannel-iface", target: &c.FlannelIface},
		{key: "egress-selector-mode", target: &c.EgressSelector, server: true},
		{key: "disable", target: csv{&c.Disable}, server: true},
		{key: "disable-network-policy", target: &c.DisableNetPol, server: true},
		{key: "disable-kube-proxy", target: &c.DisableKubeProxy, server: true},
		{key: "disable-cloud-controller", target: &c.DisableCloudCtl, server: true},
		{key: "disable-helm-controller", target: &c.DisableHelm, server: true},
		{key: "servicelb-namespace", target: &c.ServiceLBNS, server: true},
		{key: "default-local-storage-path", target: &c.LocalStoragePath, server: true},
		{key: "resolv-conf", env: "K3S_RESOLV_CONF", target: &c.ResolvConf},
		{key: "pause-image", target: &c.PauseImage},
		{key: "snapshotter", target: &c.Snapshotter},
		{key: "private-registry", target: &c.PrivateRegistry},
		{key: "write-kubeconfig", env: "K3S_KUBECONFIG_OUTPUT", short: "o", target: &c.Kubeconfig, server: true},
		{key: "write-kubeconfig-mode", env: "K3S_KUBECONFIG_MODE", target: &c.KubeconfigMode, server: true},
		{key: "secrets-encryption", target: &c.SecretsEncryption, server: true},
		{key: "secrets-encryption-provider", target: &c.SecretsProvider, server: true},
		{key: "protect-kernel-defaults", target: &c.ProtectKernel},
		{key: "etcd-disable-snapshots", target: &c.SnapshotsOff, server: true},
		{key: "etcd-snapshot-schedule-cron", target: &c.SnapshotCron, server: true},
		{key: "etcd-snapshot-retention", target: &c.SnapshotRetention, server: true},
		{key: "etcd-snapshot-dir", target: &c.SnapshotDir, server: true},
		{key: "etcd-snapshot-name", target: &c.SnapshotName, server: true},
		{key: "cluster-reset", env: "K3S_CLUSTER_RESET", target: &c.Reset, server: true},
		{key: "cluster-reset-restore-path", target: &c.ResetRestorePath, server: true},
		{key: "kubelet-arg", target: &c.KubeletArg},
		{key: "kube-proxy-arg", target: &c.ProxyArg},
		{key: "kube-apiserver-arg", target: &c.APIServerArg, server: true},
		{key: "kube-controller-manager-arg", target: &c.ControllerArg, server: true},
		{key: "kube-scheduler-arg", target: &c.SchedulerArg, server: true},
		{key: "etcd-arg", target: &c.EtcdArg, server: true},
		{key: "etcd-expose-metrics", target: ignored("etcd's metrics stay on 127.0.0.1:2381"), server: true},
		{key: "embedded-registry", target: ignored("there is no embedded registry"), server: true},
		{key: "tls-san-security", target: ignored("the certificate holds the configured names only"), server: true},
		{key: "selinux", target: ignored("SELinux is not used")},
		{key: "prefer-bundled-bin", target: ignored("runc and the CNI plugins are always the bundled ones")},
	}
}

// set gives o the values; bools take none as true.
func (o option) set(values []string) error {
	last := ""
	if len(values) > 0 {
		last = values[len(values)-1]
	}
	switch t := o.target.(type) {
	case *string:
		*t = last
	case *bool:
		if len(values) == 0 {
			*t = true
			return nil
		}
		b, err := strconv.ParseBool(last)
		if err != nil {
			return fmt.Errorf("%s: %q is not true or false", o.key, last)
		}
		*t = b
	case *int:
		n, err := strconv.Atoi(last)
		if err != nil {
			return fmt.Errorf("%s: %q is not a whole number", o.key, last)
		}
		*t = n
	case *[]string:
		*t = append([]string{}, values...)
	case csv:
		var out []string
		for _, v := range values {
			for _, part := range strings.Split(v, ",") {
				if part = strings.TrimSpace(part); part != "" {
					out = append(out, part)
				}
			}
		}
		*t.list = out
	case ignored:
	default:
		return fmt.Errorf("%s: unhandled kind %T", o.key, t)
	}
	return nil
}

func (o option) isBool() bool {
	switch o.target.(type) {
	case *bool:
		return true
	case ignored:
		return true
	}
	return false
}

// nearest is the known key that is closest to a wrong one, for the error's hint; empty when none is near.
func nearest(key string, opts []option) string {
	best, at := "", 4
	for _, o := range opts {
		if d := distance(key, o.key); d < at {
			best, at = o.key, d
		}
	}
	return best
}

// distance is the edit distance of a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
