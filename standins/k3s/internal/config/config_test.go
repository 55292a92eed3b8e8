package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// load reads a configuration from files (by name, main is config.yaml) and arguments.
func load(t *testing.T, role Role, files map[string]string, args ...string) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args = append([]string{"--config", filepath.Join(dir, "config.yaml"), "--node-ip", "10.1.2.3"}, args...)
	return Load(role, args, func(string) string { return "" })
}

func TestDefaultsAreK3sOwn(t *testing.T) {
	c, err := load(t, Server, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.ClusterDNS != "10.43.0.10" || c.ServiceIP() != "10.43.0.1" || c.FlannelBackend != "vxlan" || c.AdvertiseAddress != "10.1.2.3" {
		t.Fatalf("%+v", c)
	}
	if c.Clustered() {
		t.Fatal("a lone server must not elect leaders")
	}
}

func TestDropInsReplaceAndAppendAndFlagsWin(t *testing.T) {
	c, err := load(t, Server, map[string]string{
		"config.yaml":           "write-kubeconfig-mode: 0644\nnode-label: [a=1]\ndisable: traefik,servicelb\ncluster-domain: one\n",
		"config.yaml.d/10.yaml": "node-label+: [b=2]\ncluster-domain: two\n",
		"config.yaml.d/20.yaml": "node-label+: c=3\n",
		"config.yaml.d/note":    "not: read",
	}, "--cluster-domain=three", "--kubelet-arg", "a=b,c", "--kubelet-arg=x=y", "--protect-kernel-defaults")
	if err != nil {
		t.Fatal(err)
	}
	if c.KubeconfigMode != "0644" {
		t.Errorf("an octal mode must stay as it is written, not %q", c.KubeconfigMode)
	}
	if !slices.Equal(c.NodeLabels, []string{"a=1", "b=2", "c=3"}) {
		t.Errorf("labels %v", c.NodeLabels)
	}
	if !c.Disabled("servicelb") || c.Disabled("coredns") {
		t.Errorf("disable %v", c.Disable)
	}
	if c.ClusterDomain != "three" || !c.ProtectKernel {
		t.Errorf("domain %q, protect %v", c.ClusterDomain, c.ProtectKernel)
	}
	if !slices.Equal(c.KubeletArg, []string{"a=b,c", "x=y"}) {
		t.Errorf("an argument's own commas must stay: %v", c.KubeletArg)
	}
}

func TestWrongSettingsFailWithOneLine(t *testing.T) {
	for name, tc := range map[string]struct {
		role Role
		yaml string
		args []string
		want string
	}{
		"unknown key":       {Server, "tls-sam: x", nil, `did you mean "tls-san"?`},
		"unknown flag":      {Server, "", []string{"--flanel-backend", "none"}, `did you mean "flannel-backend"?`},
		"far from any":      {Server, "zzzzzzzzzz: 1", nil, `unknown setting "zzzzzzzzzz"`},
		"agent without URL": {Agent, "token: x", nil, "server: an agent needs"},
		"agent no token":    {Agent, "server: https://a:6443", nil, "token: an agent needs"},
		"plain http":        {Agent, "server: http://a:6443\ntoken: x", nil, "must be an https:// URL"},
		"overlap":           {Server, "cluster-cidr: 10.0.0.0/8", nil, "overlaps"},
		"dns outside":       {Server, "cluster-dns: 10.42.0.10", nil, "not an address of service-cidr"},
		"backend":           {Server, "flannel-backend: wireguard-native", nil, "not supported here"},
		"mode":              {Server, "write-kubeconfig-mode: rw", nil, "octal"},
		"nested":            {Server, "disable: {a: b}", nil, "must be a value or a list"},
		"flag no value":     {Server, "", []string{"--node-name"}, "needs a value"},
		"stray word":        {Server, "", []string{"oops"}, `unexpected argument "oops"`},
		"bool":              {Server, "cluster-init: perhaps", nil, "not true or false"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, tc.role, map[string]string{"config.yaml": tc.yaml}, tc.args...)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want something with %q", err, tc.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("more than one line: %q", err)
			}
		})
	}
}

func TestAnAgentSkipsServerSettingsWithAWarning(t *testing.T) {
	c, err := load(t, Agent, map[string]string{"config.yaml": "server: https://a:6443\ntoken: x\ncluster-cidr: 10.99.0.0/16\n"})
	if err != nil {
		t.Fatal(err)
	}
	if c.ClusterCIDR != "10.42.0.0/16" || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "cluster-cidr") {
		t.Fatalf("%q %v", c.ClusterCIDR, c.Warnings)
	}
}

func TestTheEnvironmentIsBelowTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("node-name: from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"K3S_CONFIG_FILE": file, "K3S_NODE_NAME": "from-env", "K3S_TOKEN": "t"}
	c, err := Load(Server, []string{"-i", "10.0.0.1"}, func(k string) string { return env[k] })
	if err != nil {
		t.Fatal(err)
	}
	if c.NodeName != "from-file" || c.Token != "t" {
		t.Fatalf("%q %q", c.NodeName, c.Token)
	}
}
