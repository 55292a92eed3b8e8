package command

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gobwas/glob"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/archive"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/asset"

	"groundwork.dev/standins/engine/internal/provider"
)

// addAssets collects the files that the command left behind.
func addAssets(in *commandInputs, outs provider.Props) error {
	if len(in.AssetPaths) > 0 {
		found, err := globFiles(in.Dir, in.AssetPaths)
		if err != nil {
			return err
		}
		assets := provider.Props{}
		for _, rel := range found {
			a, err := asset.FromPath(filepath.Join(in.Dir, rel))
			if err != nil {
				return err
			}
			assets[resource.PropertyKey(rel)] = resource.NewProperty(a)
		}
		outs["assets"] = resource.NewProperty(assets)
	}
	if len(in.ArchivePaths) > 0 {
		found, err := globFiles(in.Dir, in.ArchivePaths)
		if err != nil {
			return err
		}
		files := map[string]any{}
		for _, rel := range found {
			a, err := asset.FromPath(filepath.Join(in.Dir, rel))
			if err != nil {
				return err
			}
			files[rel] = a
		}
		a, err := archive.FromAssets(files)
		if err != nil {
			return err
		}
		outs["archive"] = resource.NewProperty(a)
	}
	return nil
}

// globFiles lists the files below dir that the patterns take; later patterns win, and those with ! in front take files away.
func globFiles(dir string, patterns []string) ([]string, error) {
	type rule struct {
		g       glob.Glob
		exclude bool
	}
	var rules []rule
	for _, p := range patterns {
		exclude := strings.HasPrefix(p, "!")
		g, err := glob.Compile(strings.TrimPrefix(p, "!"), filepath.Separator)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", p, err)
		}
		rules = append(rules, rule{g, exclude})
	}
	root := dir
	if root == "" {
		root = "."
	}
	var out []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		take := false
		for _, r := range rules {
			if r.g.Match(rel) {
				take = !r.exclude
			}
		}
		if take {
			out = append(out, rel)
		}
		return nil
	})
	return out, err
}
