package agent

import (
	"fmt"
	"os"
	"sort"
	"strings"

	"golang.org/x/sys/unix"
	"sigs.k8s.io/yaml"

	"groundwork/standins/k3s/internal/pki"
	"groundwork/standins/k3s/internal/supervisor"
)

// TLSCiphers are those that K3s passes to its servers: forward secrecy and AEAD only.
const TLSCiphers = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305," +
	"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305"

// Flags renders a component's argv: own defaults, each replaced where the user's key=value names the same flag.
func Flags(name string, own map[string]string, user []string) []string {
	var extra []string
	for _, u := range user {
		key, value, ok := strings.Cut(strings.TrimLeft(u, "-"), "=")
		if !ok {
			value = "true"
		}
		if _, mine := own[key]; mine {
			own[key] = value
			continue
		}
		extra = append(extra, "--"+key+"="+value)
	}
	var keys []string
	for k := range own {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	out := []string{name}
	for _, k := range keys {
		if own[k] != "" {
			out = append(out, "--"+k+"="+own[k])
		}
	}
	return append(out, extra...)
}

func (n *Node) kubeProxyArgs(c supervisor.Cluster) []string {
	return Flags("kube-proxy", map[string]string{
		"kubeconfig": n.Config.Agent("kubeproxy.kubeconfig"), "hostname-override": n.Config.NodeName, "cluster-cidr": c.ClusterCIDR,
		"proxy-mode": "iptables", "healthz-bind-address": "127.0.0.1:10256", "metrics-bind-address": "127.0.0.1:10249",
		// The conntrack limits are the machine's, as in K3s; inside a container they can't be written.
		"conntrack-max-per-core": "0", "conntrack-tcp-timeout-established": "0s", "conntrack-tcp-timeout-close-wait": "0s",
		"iptables-min-sync-period": "100ms",
	}, n.Config.ProxyArg)
}

func (n *Node) kubeletArgs() []string {
	own := map[string]string{
		"config-dir": n.Config.Agent("etc", "kubelet.conf.d"), "kubeconfig": n.Config.Agent("kubelet.kubeconfig"),
		"hostname-override": n.Config.NodeName, "node-ip": strings.Join(n.Config.NodeIP, ","),
		"node-labels": strings.Join(n.Config.NodeLabels, ","), "register-with-taints": strings.Join(n.Config.NodeTaints, ","),
	}
	return Flags("kubelet", own, n.Config.KubeletArg)
}

// writeKubeletConfig writes the kubelet's configuration as K3s does, into a drop-in folder to which an administrator may
// add files.
func (n *Node) writeKubeletConfig(c supervisor.Cluster) error {
	resolv, err := n.resolvConf()
	if err != nil {
		return err
	}
	conf := map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"address": "0.0.0.0", "healthzBindAddress": "127.0.0.1",
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false}, "webhook": map[string]any{"enabled": true, "cacheTTL": "2m0s"},
			"x509": map[string]any{"clientCAFile": n.Config.Agent("client-ca.crt")},
		},
		"authorization":                  map[string]any{"mode": "Webhook"},
		"tlsCertFile":                    n.Config.Agent("serving-kubelet.crt"),
		"tlsPrivateKeyFile":              n.Config.Agent("serving-kubelet.key"),
		"tlsCipherSuites":                strings.Split(TLSCiphers, ","),
		"containerRuntimeEndpoint":       "unix://" + Socket,
		"cgroupDriver":                   "cgroupfs",
		"failCgroupV1":                   false, // from 1.35 on the default is true; K3s refuses v1 too, this stand-in does not
		"failSwapOn":                     false,
		"clusterDomain":                  c.ClusterDomain,
		"clusterDNS":                     []string{c.ClusterDNS},
		"resolvConf":                     resolv,
		"protectKernelDefaults":          n.Config.ProtectKernel,
		"serializeImagePulls":            false,
		"maxPods":                        110,
		"nodeStatusUpdateFrequency":      "4s",
		"imageGCHighThresholdPercent":    100, // an imported image can't be pulled again: never collect for space
		"evictionHard":                   map[string]string{"imagefs.available": "5%", "nodefs.available": "5%"},
		"evictionMinimumReclaim":         map[string]string{"imagefs.available": "10%", "nodefs.available": "10%"},
		"shutdownGracePeriod":            "0s",
		"streamingConnectionIdleTimeout": "4h0m0s",
		"volumePluginDir":                n.Config.Agent("volume-plugins"),
		"staticPodPath":                  n.Config.Agent("pod-manifests"),
		"maxOpenFiles":                   openFiles(),
	}
	for _, d := range []string{"volume-plugins", "pod-manifests"} {
		if err := os.MkdirAll(n.Config.Agent(d), 0o700); err != nil {
			return err
		}
	}
	b, err := yaml.Marshal(conf)
	if err != nil {
		return err
	}
	return pki.WriteFile(n.Config.Agent("etc", "kubelet.conf.d", "00-k3s-defaults.conf"), b, 0o600)
}

// openFiles is the kubelet's own limit: the usual million, or what the process may have.
func openFiles() int64 {
	const usual = 1000000
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil || l.Max >= usual {
		return usual
	}
	return int64(l.Max)
}

// resolvConf is the file that the pods' upstream resolvers come from. A machine without a usable one gets an empty file:
// the kubelet needs one that exists, and a loopback resolver would send CoreDNS into itself.
func (n *Node) resolvConf() (string, error) {
	if n.Config.ResolvConf != "" {
		return n.Config.ResolvConf, nil
	}
	for _, f := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"} {
		if usableResolvConf(f) {
			return f, nil
		}
	}
	f := n.Config.Agent("etc", "resolv.conf")
	return f, pki.WriteFile(f, []byte("# no upstream resolver on this machine: cluster names only\n"), 0o644)
}

// HasResolver tells whether pods with the node's own DNS settings would have a resolver to ask.
func HasResolver(configured string) bool {
	if configured != "" {
		return usableResolvConf(configured)
	}
	return usableResolvConf("/etc/resolv.conf") || usableResolvConf("/run/systemd/resolve/resolv.conf")
}

// usableResolvConf tells whether a file names at least one resolver, all outside the machine.
func usableResolvConf(file string) bool {
	b, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	found := false
	for _, line := range strings.Split(string(b), "\n") {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		if strings.HasPrefix(f[1], "127.") || f[1] == "::1" {
			return false
		}
		found = true
	}
	return found
}

// Describe is one line on the machine for the journal.
func Describe() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown kernel"
	}
	return fmt.Sprintf("kernel %s", strings.TrimRight(string(u.Release[:]), "\x00"))
}
