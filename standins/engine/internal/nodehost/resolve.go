package nodehost

import (
	"fmt"
	"os"
	"path/filepath"
)

// findPackage looks for a package as node does from dir: in the node_modules folder of each directory upwards. Asking node
// itself would cost the start of a process.
func findPackage(dir, name string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	// Node resolves from the real path of a module.
	if real, err := filepath.EvalSymlinks(start); err == nil {
		start = real
	}
	for d := start; ; d = filepath.Dir(d) {
		if filepath.Base(d) != "node_modules" {
			p := filepath.Join(d, "node_modules", filepath.FromSlash(name))
			if _, err := os.Stat(filepath.Join(p, "package.json")); err == nil {
				return p, nil
			}
		}
		if d == filepath.Dir(d) {
			break
		}
	}
	for _, d := range filepath.SplitList(os.Getenv("NODE_PATH")) {
		p := filepath.Join(d, filepath.FromSlash(name))
		if _, err := os.Stat(filepath.Join(p, "package.json")); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("the package %s is not installed for %s: run `npm ci` there", name, dir)
}

// resolveEntry finds an entry point of the @pulumi/pulumi package that the program in dir uses.
func resolveEntry(dir, entry string) (string, error) {
	p, err := findPackage(dir, "@pulumi/pulumi")
	if err != nil {
		return "", err
	}
	script := filepath.Join(p, filepath.FromSlash(entry))
	if _, err := os.Stat(script); err != nil {
		return "", fmt.Errorf("@pulumi/pulumi in %s has no %s: it is too old for this host", p, entry)
	}
	return script, nil
}
