package nodehost

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

type manifest struct {
	Name            string
	Version         string
	Dependencies    map[string]string
	DevDependencies map[string]string
	Workspaces      any
	Pulumi          *struct {
		Resource         bool
		Name             string
		Version          string
		Server           string
		Parameterization *struct {
			Name    string
			Version string
			Value   []byte
		}
	}
}

// GetRequiredPackages lists the direct dependencies of the program whose package.json says that they are resource packages.
func (h *host) GetRequiredPackages(_ context.Context, r *rpc.GetRequiredPackagesRequest) (*rpc.GetRequiredPackagesResponse, error) {
	out := &rpc.GetRequiredPackagesResponse{}
	dir := r.GetInfo().GetProgramDirectory()
	var project manifest
	if readJSON(filepath.Join(dir, "package.json"), &project) != nil {
		return out, nil
	}
	for _, name := range sortedKeys(project.Dependencies, project.DevDependencies) {
		where, err := findPackage(dir, name)
		if err != nil {
			continue
		}
		if p := packageDependency(where, name); p != nil {
			out.Packages = append(out.Packages, p)
		}
	}
	return out, nil
}

// packageDependency reads what plugin an installed SDK asks for; nil when it is no SDK.
func packageDependency(dir, name string) *rpc.PackageDependency {
	var m manifest
	if readJSON(filepath.Join(dir, "package.json"), &m) != nil || m.Pulumi == nil || !m.Pulumi.Resource {
		return nil
	}
	p := &rpc.PackageDependency{Kind: "resource", Name: m.Pulumi.Name, Version: m.Pulumi.Version, Server: m.Pulumi.Server}
	if p.Name == "" {
		p.Name = filepath.Base(name)
	}
	if p.Version == "" {
		p.Version = m.Version
	}
	p.Version = strings.TrimPrefix(p.Version, "v")
	if z := m.Pulumi.Parameterization; z != nil {
		p.Parameterization = &rpc.PackageParameterization{Name: z.Name, Version: z.Version, Value: z.Value}
	}
	return p
}

// GetRequiredPlugins is the older form of GetRequiredPackages.
func (h *host) GetRequiredPlugins(ctx context.Context, r *rpc.GetRequiredPluginsRequest) (*rpc.GetRequiredPluginsResponse, error) {
	packages, err := h.GetRequiredPackages(ctx, &rpc.GetRequiredPackagesRequest{Info: r.GetInfo()})
	if err != nil {
		return nil, err
	}
	out := &rpc.GetRequiredPluginsResponse{}
	for _, p := range packages.GetPackages() {
		out.Plugins = append(out.Plugins, &rpc.PluginDependency{Name: p.GetName(), Kind: p.GetKind(), Version: "v" + p.GetVersion(), Server: p.GetServer()})
	}
	return out, nil
}

// GetProgramDependencies lists the packages of the program with the versions that are installed.
func (h *host) GetProgramDependencies(_ context.Context, r *rpc.GetProgramDependenciesRequest) (*rpc.GetProgramDependenciesResponse, error) {
	dir := r.GetInfo().GetProgramDirectory()
	if dir == "" {
		dir = r.GetPwd()
	}
	var project manifest
	if err := readJSON(filepath.Join(dir, "package.json"), &project); err != nil {
		return nil, err
	}
	out := &rpc.GetProgramDependenciesResponse{}
	if r.GetTransitiveDependencies() {
		return out, transitive(dir, out)
	}
	for _, name := range sortedKeys(project.Dependencies, project.DevDependencies) {
		var m manifest
		if where, err := findPackage(dir, name); err == nil && readJSON(filepath.Join(where, "package.json"), &m) == nil {
			out.Dependencies = append(out.Dependencies, &rpc.DependencyInfo{Name: name, Version: m.Version})
		}
	}
	return out, nil
}

// transitive reads npm's lock file, which lists every package.
func transitive(dir string, out *rpc.GetProgramDependenciesResponse) error {
	var lock struct {
		Packages map[string]struct{ Version string }
	}
	if err := readJSON(filepath.Join(dir, "package-lock.json"), &lock); err != nil {
		return err
	}
	for path, p := range lock.Packages {
		if _, name, ok := strings.Cut(path, "node_modules/"); ok {
			if i := strings.LastIndex(name, "node_modules/"); i >= 0 {
				name = name[i+len("node_modules/"):]
			}
			out.Dependencies = append(out.Dependencies, &rpc.DependencyInfo{Name: name, Version: p.Version})
		}
	}
	sort.Slice(out.Dependencies, func(i, j int) bool {
		a, b := out.Dependencies[i], out.Dependencies[j]
		return a.Name < b.Name || (a.Name == b.Name && a.Version < b.Version)
	})
	return nil
}

// About tells which node runs programs.
func (h *host) About(ctx context.Context, _ *rpc.AboutRequest) (*rpc.AboutResponse, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, err
	}
	version, err := exec.CommandContext(ctx, node, "--version").Output()
	if err != nil {
		return nil, err
	}
	return &rpc.AboutResponse{Executable: node, Version: strings.TrimSpace(string(version)), Metadata: map[string]string{"host": "stand-in for the official node language host"}}, nil
}

// InstallDependencies installs the packages of a program, plugin or policy pack.
func (h *host) InstallDependencies(r *rpc.InstallDependenciesRequest, s rpc.LanguageRuntime_InstallDependenciesServer) error {
	closer, stdout, stderr, err := rpcutil.MakeInstallDependenciesStreams(s, r.GetIsTerminal())
	if err != nil {
		return err
	}
	defer closer.Close()
	dir := r.GetInfo().GetProgramDirectory()
	if dir == "" {
		dir = r.GetDirectory()
	}
	words := optionsOf(r.GetInfo()).packageManager(dir)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = dir, stdout, stderr, os.Environ()
	return h.run(s.Context(), cmd)
}

// RuntimeOptionsPrompts asks nothing: the package manager is seen from the lock file.
func (h *host) RuntimeOptionsPrompts(context.Context, *rpc.RuntimeOptionsRequest) (*rpc.RuntimeOptionsResponse, error) {
	return &rpc.RuntimeOptionsResponse{}, nil
}

func sortedKeys(maps ...map[string]string) []string {
	seen := map[string]bool{}
	for _, m := range maps {
		for k := range m {
			seen[k] = true
		}
	}
	out := make([]string, 0, len(seen))
	for k := range seen {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
