package nodehost

import (
	"os"
	"path/filepath"
	"strings"

	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// options are the runtime options of Pulumi.yaml or PulumiPolicy.yaml.
type options struct {
	typescript bool
	tsconfig   string
	nodeargs   string
	packageMgr string
}

func optionsOf(info *rpc.ProgramInfo) options {
	fields := info.GetOptions().GetFields()
	o := options{typescript: true, tsconfig: fields["tsconfig"].GetStringValue(), nodeargs: fields["nodeargs"].GetStringValue(), packageMgr: fields["packagemanager"].GetStringValue()}
	switch v := fields["typescript"].AsInterface().(type) {
	case bool:
		o.typescript = v
	case string:
		o.typescript = v != "false"
	}
	return o
}

func (o options) node() string { return "node" }

func (o options) nodeArgs() []string { return strings.Fields(o.nodeargs) }

// env tells the SDK how to load TypeScript.
func (o options) env(root string) []string {
	if !o.typescript {
		return nil
	}
	env := []string{"PULUMI_NODEJS_TYPESCRIPT=true"}
	if o.tsconfig != "" {
		path := o.tsconfig
		if !filepath.IsAbs(path) {
			path = filepath.Join(root, path)
		}
		env = append(env, "PULUMI_NODEJS_TSCONFIG_PATH="+path)
	}
	return env
}

// packageManager says who installs dependencies: the option, else the lock file that lies nearest, else npm.
func (o options) packageManager(dir string) []string {
	locked := func(names ...string) bool {
		for _, n := range names {
			if _, err := os.Stat(filepath.Join(dir, n)); err == nil {
				return true
			}
		}
		return false
	}
	name := o.packageMgr
	if name == "" || name == "auto" {
		switch {
		case locked("yarn.lock"):
			name = "yarn"
		case locked("pnpm-lock.yaml"):
			name = "pnpm"
		case locked("bun.lock", "bun.lockb"):
			name = "bun"
		default:
			name = "npm"
		}
	}
	if name == "npm" && locked("package-lock.json", "npm-shrinkwrap.json") {
		return []string{"npm", "ci", "--no-audit", "--no-fund"}
	}
	return []string{name, "install"}
}
