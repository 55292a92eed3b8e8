package nodehost

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"
)

func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func info(dir string, options map[string]any) *rpc.ProgramInfo {
	s, err := structpb.NewStruct(options)
	if err != nil {
		panic(err)
	}
	return &rpc.ProgramInfo{RootDirectory: dir, ProgramDirectory: dir, EntryPoint: ".", Options: s}
}

func TestEntryPointsAreFoundFromFoldersBelow(t *testing.T) {
	root := tree(t, map[string]string{
		"node_modules/@pulumi/pulumi/package.json": "{}", "node_modules/@pulumi/pulumi/cmd/run/index.js": "", "policies/deep/x.ts": "",
	})
	got, err := resolveEntry(filepath.Join(root, "policies", "deep"), "cmd/run")
	if err != nil || !strings.HasSuffix(got, "node_modules/@pulumi/pulumi/cmd/run") {
		t.Fatalf("%s %v", got, err)
	}
	if _, err := resolveEntry(root, "cmd/run-policy-pack"); err == nil || !strings.Contains(err.Error(), "too old") {
		t.Fatalf("error %v", err)
	}
	if _, err := resolveEntry(t.TempDir(), "cmd/run"); err == nil || !strings.Contains(err.Error(), "npm ci") {
		t.Fatalf("error %v", err)
	}
}

func TestRequiredPackages(t *testing.T) {
	root := tree(t, map[string]string{
		"package.json":                        `{"dependencies":{"@pulumi/a":"1","@pulumi/b":"1","zod":"4","@pulumi/absent":"1"}}`,
		"node_modules/@pulumi/a/package.json": `{"version":"v1.2.3","pulumi":{"resource":true}}`,
		"node_modules/@pulumi/b/package.json": `{"version":"9.9.9","pulumi":{"resource":true,"name":"bee","version":"2.0.0","server":"https://x"}}`,
		"node_modules/zod/package.json":       `{"version":"4.0.0"}`,
	})
	out, err := (&host{}).GetRequiredPackages(context.Background(), &rpc.GetRequiredPackagesRequest{Info: info(root, nil)})
	if err != nil || len(out.GetPackages()) != 2 {
		t.Fatalf("%v %v", out, err)
	}
	a, b := out.GetPackages()[0], out.GetPackages()[1]
	if a.GetName() != "a" || a.GetVersion() != "1.2.3" || b.GetName() != "bee" || b.GetVersion() != "2.0.0" || b.GetServer() != "https://x" {
		t.Fatalf("%v %v", a, b)
	}
}

func TestOptions(t *testing.T) {
	o := optionsOf(info("/p", map[string]any{"nodeargs": "--a  --b=c", "tsconfig": "sub/tsconfig.json"}))
	if got := strings.Join(o.nodeArgs(), "|"); got != "--a|--b=c" {
		t.Error(got)
	}
	if got := strings.Join(o.env("/p"), " "); got != "PULUMI_NODEJS_TYPESCRIPT=true PULUMI_NODEJS_TSCONFIG_PATH=/p/sub/tsconfig.json" {
		t.Error(got)
	}
	for _, off := range []any{false, "false"} {
		if got := optionsOf(info("/p", map[string]any{"typescript": off})).env("/p"); got != nil {
			t.Errorf("%v: %v", off, got)
		}
	}
}

func TestPackageManagerIsSeenFromTheLockFile(t *testing.T) {
	for lock, want := range map[string]string{
		"package-lock.json": "npm ci --no-audit --no-fund", "yarn.lock": "yarn install", "pnpm-lock.yaml": "pnpm install", "README": "npm install",
	} {
		if got := strings.Join(options{}.packageManager(tree(t, map[string]string{lock: ""})), " "); got != want {
			t.Errorf("%s: %s", lock, got)
		}
	}
}

func TestDependencies(t *testing.T) {
	root := tree(t, map[string]string{
		"package.json":                `{"dependencies":{"a":"^1"}}`,
		"package-lock.json":           `{"packages":{"":{},"node_modules/a":{"version":"1.1.0"},"node_modules/a/node_modules/@s/b":{"version":"2.0.0"}}}`,
		"node_modules/a/package.json": `{"version":"1.1.0"}`,
	})
	for all, want := range map[bool]string{false: "a@1.1.0", true: "@s/b@2.0.0 a@1.1.0"} {
		out, err := (&host{}).GetProgramDependencies(context.Background(), &rpc.GetProgramDependenciesRequest{Info: info(root, nil), TransitiveDependencies: all})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range out.GetDependencies() {
			got = append(got, d.GetName()+"@"+d.GetVersion())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v: %v", all, got)
		}
	}
}

func TestCancelEndsTheChild(t *testing.T) {
	h := &host{}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	time.AfterFunc(100*time.Millisecond, h.cancel)
	began := time.Now()
	if err := h.run(context.Background(), exec.Command("sleep", "60")); err == nil || time.Since(began) > 10*time.Second {
		t.Fatalf("%v after %v", err, time.Since(began))
	}
}
