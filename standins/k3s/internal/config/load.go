package config

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Load reads everything for role: args are what followed the verb, env looks up the environment.
func Load(role Role, args []string, env func(string) string) (*Config, error) {
	c := Defaults(role)
	opts := c.options()
	for _, o := range opts {
		if v := env(o.env); o.env != "" && v != "" {
			if err := o.set([]string{v}); err != nil {
				return nil, fmt.Errorf("%s: %w", o.env, err)
			}
		}
	}
	flags, err := parseArgs(opts, args)
	if err != nil {
		return nil, err
	}
	if v, ok := flags["config"]; ok && len(v) > 0 {
		c.File = v[len(v)-1]
	}
	values, err := readFiles(c.File)
	if err != nil {
		return nil, err
	}
	for _, source := range []map[string][]string{values, flags} {
		for _, o := range opts {
			v, ok := source[o.key]
			if !ok {
				continue
			}
			if why, no := o.target.(ignored); no {
				c.Warnings = append(c.Warnings, fmt.Sprintf("%s has no effect in this stand-in: %s", o.key, string(why)))
			}
			if o.server && role == Agent {
				c.Warnings = append(c.Warnings, o.key+" is a server's setting and is skipped on an agent")
				continue
			}
			if err := o.set(v); err != nil {
				return nil, err
			}
		}
	}
	for key := range values {
		if !known(opts, key) {
			return nil, unknown(key, c.File, opts)
		}
	}
	if c.ResetRestorePath != "" && !c.Reset {
		return nil, fmt.Errorf("cluster-reset-restore-path needs cluster-reset")
	}
	return c, c.finish()
}

func known(opts []option, key string) bool {
	for _, o := range opts {
		if o.key == key {
			return true
		}
	}
	return false
}

func unknown(key, where string, opts []option) error {
	if n := nearest(key, opts); n != "" {
		return fmt.Errorf("unknown setting %q in %s; did you mean %q?", key, where, n)
	}
	return fmt.Errorf("unknown setting %q in %s", key, where)
}

// parseArgs understands --key value, --key=value, -k value and bare booleans.
func parseArgs(opts []option, args []string) (map[string][]string, error) {
	out := map[string][]string{}
	for i := 0; i < len(args); i++ {
		a := args[i]
		name, value, inline := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if !strings.HasPrefix(a, "-") || name == "" {
			return nil, fmt.Errorf("unexpected argument %q", a)
		}
		var found *option
		for j := range opts {
			if o := &opts[j]; o.key == name || (o.short != "" && o.short == name && !strings.HasPrefix(a, "--")) {
				found = o
			}
		}
		if found == nil {
			return nil, unknown(name, "the command line", opts)
		}
		switch {
		case inline:
			out[found.key] = append(out[found.key], value)
		case found.isBool():
			out[found.key] = append(out[found.key], "true")
		case i+1 < len(args):
			i++
			out[found.key] = append(out[found.key], args[i])
		default:
			return nil, fmt.Errorf("flag --%s needs a value", found.key)
		}
	}
	return out, nil
}

// readFiles reads the configuration file and its drop-ins: a later file's key replaces an earlier one's, a key that
// ends in + appends to it. No file at all is fine.
func readFiles(main string) (map[string][]string, error) {
	dropIns, err := filepath.Glob(filepath.Join(main+".d", "*.yaml"))
	if err != nil {
		return nil, err
	}
	sort.Strings(dropIns)
	out := map[string][]string{}
	for _, f := range append([]string{main}, dropIns...) {
		b, err := os.ReadFile(f)
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		if err := merge(out, b); err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
	}
	return out, nil
}

// merge works on the document's nodes, not on decoded values, so that 0644 stays the text that it is.
func merge(out map[string][]string, document []byte) error {
	var root yaml.Node
	if err := yaml.Unmarshal(document, &root); err != nil {
		return err
	}
	if len(root.Content) == 0 {
		return nil
	}
	m := root.Content[0]
	if m.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: the file must be a mapping of settings", m.Line)
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, appends := strings.CutSuffix(m.Content[i].Value, "+")
		var values []string
		switch n := m.Content[i+1]; n.Kind {
		case yaml.ScalarNode:
			if n.Tag == "!!null" {
				continue
			}
			values = []string{n.Value}
		case yaml.SequenceNode:
			for _, item := range n.Content {
				if item.Kind != yaml.ScalarNode {
					return fmt.Errorf("line %d: %s must be a list of plain values", item.Line, key)
				}
				values = append(values, item.Value)
			}
		default:
			return fmt.Errorf("line %d: %s must be a value or a list of values", n.Line, key)
		}
		if appends {
			values = append(out[key], values...)
		}
		out[key] = values
	}
	return nil
}

// defaultAddress is the IPv4 address of iface, or the one from which the default route leaves.
func defaultAddress(iface string) (string, error) {
	if iface != "" {
		i, err := net.InterfaceByName(iface)
		if err != nil {
			return "", fmt.Errorf("flannel-iface %s: %w", iface, err)
		}
		return firstIPv4(*i)
	}
	// No packet is sent: connecting a datagram socket only chooses the route.
	if c, err := net.Dial("udp4", "192.0.2.1:9"); err == nil {
		defer c.Close()
		return c.LocalAddr().(*net.UDPAddr).IP.String(), nil
	}
	all, err := net.Interfaces()
	if err != nil {
		return "", err
	}
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 || i.Name == "cni0" || strings.HasPrefix(i.Name, "flannel") {
			continue
		}
		if a, err := firstIPv4(i); err == nil {
			return a, nil
		}
	}
	return "", errors.New("no interface has an IPv4 address; set node-ip")
}

func firstIPv4(i net.Interface) (string, error) {
	addrs, err := i.Addrs()
	if err != nil {
		return "", err
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String(), nil
		}
	}
	return "", fmt.Errorf("interface %s has no IPv4 address", i.Name)
}
