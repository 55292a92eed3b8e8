// Command groundwork-engine is one binary for all the parts that stand in for official Pulumi plugins; the name by which it is
// called says which one it is.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"groundwork.dev/standins/engine/internal/command"
	"groundwork.dev/standins/engine/internal/hcloud"
	"groundwork.dev/standins/engine/internal/nodehost"
	"groundwork.dev/standins/engine/internal/provider"
	"groundwork.dev/standins/engine/internal/random"
	"groundwork.dev/standins/engine/internal/tls"
)

// versions lists name=version of each plugin, separated by commas: those that the npm packages ask for. The linker sets it.
var versions string

var providers = map[string]func(version string) *provider.Definition{
	"pulumi-resource-command": command.Definition,
	"pulumi-resource-hcloud":  hcloud.Definition,
	"pulumi-resource-random":  random.Definition,
	"pulumi-resource-tls":     tls.Definition,
}

func main() { os.Exit(run(filepath.Base(os.Args[0]), os.Args[1:])) }

func run(name string, args []string) int {
	name = strings.TrimSuffix(name, ".exe")
	short := name[strings.LastIndexByte(name, '-')+1:]
	switch {
	case name == "pulumi-language-nodejs":
		return nodehost.Main(versionOf(short), args)
	case name == "pulumi-resource-pulumi-nodejs":
		return nodehost.Dynamic(args)
	case providers[name] != nil:
		return provider.Main(providers[name](versionOf(short)), args)
	}
	fmt.Fprintf(os.Stderr, "this binary is called by the name of a part: pulumi-language-nodejs, pulumi-resource-pulumi-nodejs")
	for n := range providers {
		fmt.Fprint(os.Stderr, ", "+n)
	}
	fmt.Fprintln(os.Stderr)
	return 2
}

// versionOf is the version that the linker gave for a plugin.
func versionOf(name string) string {
	for _, pair := range strings.Split(versions, ",") {
		if n, v, ok := strings.Cut(pair, "="); ok && n == name {
			return v
		}
	}
	return "0.0.0"
}
