package command

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/asset"

	"groundwork.dev/standins/engine/internal/provider"
	"groundwork.dev/standins/engine/internal/testssh"
)

func start(t *testing.T) (*testssh.Server, map[string]any) {
	t.Helper()
	s, err := testssh.Start(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, map[string]any{"host": "127.0.0.1", "port": s.Port, "user": "root", "privateKey": s.PrivateKey, "hostKey": s.HostKey}
}

func tester() *provider.Tester { return provider.NewTester(Definition("1.2.1")) }

func TestLocalCommandHandsItsOutputToTheNextRun(t *testing.T) {
	p := tester()
	in := provider.PropsOf(map[string]any{"create": "echo one", "update": `echo "was $PULUMI_COMMAND_STDOUT"`})
	s, err := p.Create("command:local:Command", in, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Text("stdout"); got != "one" {
		t.Fatalf("stdout %q", got)
	}
	in["stdin"] = provider.Value("x")
	if s, err = p.Update(s, in); err != nil {
		t.Fatal(err)
	}
	if got := s.Text("stdout"); got != "was one" {
		t.Fatalf("stdout %q", got)
	}
	in["addPreviousOutputInEnv"], in["stdin"] = provider.Value(false), provider.Value("y")
	if s, err = p.Update(s, in); err != nil {
		t.Fatal(err)
	}
	if got := s.Text("stdout"); got != "was " {
		t.Fatalf("stdout %q", got)
	}
}

func TestRunFunction(t *testing.T) {
	out, err := tester().Invoke("command:local:run", provider.PropsOf(map[string]any{"command": "cat; echo $A", "stdin": "in ", "environment": map[string]any{"A": "env"}}))
	if err != nil || out["stdout"].StringValue() != "in env" {
		t.Fatalf("%v %v", out, err)
	}
	if _, err := tester().Invoke("command:local:run", provider.Props{}); err == nil || !strings.Contains(err.Error(), "command") {
		t.Fatalf("error %v", err)
	}
}

func TestFailedCommandTellsWhatItPrinted(t *testing.T) {
	_, err := tester().Create("command:local:Command", provider.PropsOf(map[string]any{"create": "echo no good >&2; exit 3"}), false)
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "no good") {
		t.Fatalf("error %v", err)
	}
}

func TestTriggersReplaceAndScriptsUpdate(t *testing.T) {
	p := tester()
	in := provider.PropsOf(map[string]any{"create": "true", "triggers": []any{"a"}})
	s, err := p.Create("command:local:Command", in, false)
	if err != nil {
		t.Fatal(err)
	}
	d, err := p.Diff(s, provider.PropsOf(map[string]any{"create": "true", "triggers": []any{"b"}}))
	if err != nil || len(d.GetReplaces()) != 1 {
		t.Fatalf("%v %v", d, err)
	}
	d, err = p.Diff(s, provider.PropsOf(map[string]any{"create": "false", "triggers": []any{"a"}}))
	if err != nil || len(d.GetReplaces()) != 0 || len(d.GetDiffs()) != 1 {
		t.Fatalf("%v %v", d, err)
	}
}

func TestRemoteCommand(t *testing.T) {
	s, conn := start(t)
	s.AcceptEnv = map[string]bool{"A": true}
	p := tester()
	in := provider.PropsOf(map[string]any{"connection": conn, "create": "cat; echo $A", "stdin": "in\n", "environment": map[string]any{"A": "env"}})
	st, err := p.Create("command:remote:Command", in, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := st.Text("stdout"); got != "in\nenv" {
		t.Fatalf("stdout %q", got)
	}
	inner := st.Inputs["connection"].SecretValue().Element.ObjectValue()
	if !st.Props["connection"].IsSecret() || !inner["privateKey"].IsSecret() || inner["hostKey"].IsSecret() {
		t.Fatal("the connection holds the private key and must be a secret")
	}
	in["environment"] = provider.Value(map[string]any{"B": "not accepted"})
	if _, err := p.Create("command:remote:Command", in, false); err == nil || !strings.Contains(err.Error(), `"B"`) {
		t.Fatalf("error %v", err)
	}
}

func TestWrongHostKeyIsRefused(t *testing.T) {
	_, conn := start(t)
	other, _ := start(t)
	conn["hostKey"], conn["dialErrorLimit"] = other.HostKey, 0
	_, err := tester().Create("command:remote:Command", provider.PropsOf(map[string]any{"connection": conn, "create": "true"}), false)
	if err == nil || !strings.Contains(err.Error(), "host key") {
		t.Fatalf("error %v", err)
	}
}

func TestDialWaitsForAMachineThatBoots(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	ready := make(chan *testssh.Server, 1)
	go func() {
		time.Sleep(700 * time.Millisecond)
		s, err := testssh.Start(port)
		if err != nil {
			panic(err)
		}
		s.Password = "pass"
		ready <- s
	}()
	conn := map[string]any{"host": "127.0.0.1", "port": port, "password": "pass"}
	began := time.Now()
	if _, err := tester().Create("command:remote:Command", provider.PropsOf(map[string]any{"connection": conn, "create": "true"}), false); err != nil {
		t.Fatal(err)
	}
	(<-ready).Close()
	if d := time.Since(began); d > 3*time.Second {
		t.Fatalf("took %v", d)
	}
}

func TestDialGivesUpAfterTheLimit(t *testing.T) {
	conn := map[string]any{"host": "127.0.0.1", "port": 1, "password": "x", "dialErrorLimit": 2}
	_, err := tester().Create("command:remote:Command", provider.PropsOf(map[string]any{"connection": conn, "create": "true"}), false)
	if err == nil || !strings.Contains(err.Error(), "after 2 failed attempts") {
		t.Fatalf("error %v", err)
	}
}

func TestProxy(t *testing.T) {
	_, conn := start(t)
	_, bastion := start(t)
	conn["proxy"] = bastion
	st, err := tester().Create("command:remote:Command", provider.PropsOf(map[string]any{"connection": conn, "create": "echo through"}), false)
	if err != nil || st.Text("stdout") != "through" {
		t.Fatalf("%v %v", st, err)
	}
}

func TestCopyIsFastAndExact(t *testing.T) {
	_, conn := start(t)
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "new", "to")
	const size = 150 << 20
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i >> 7)
	}
	if err := os.WriteFile(from, data, 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := asset.FromPath(from)
	if err != nil {
		t.Fatal(err)
	}
	in := provider.PropsOf(map[string]any{"connection": conn, "remotePath": to})
	in["source"] = resource.NewProperty(a)
	began := time.Now()
	if _, err := tester().Create("command:remote:CopyToRemote", in, false); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	t.Logf("150 MiB in %v, %.0f MiB/s", took, 150/took.Seconds())
	got, err := os.ReadFile(to)
	if err != nil || string(got) != string(data) {
		t.Fatalf("the copy differs: %v, %d bytes", err, len(got))
	}
	if took > 15*time.Second {
		t.Fatalf("took %v", took)
	}
}

func TestCopyOfFolders(t *testing.T) {
	_, conn := start(t)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "src", "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "src", "sub", "f"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]string{filepath.Join(dir, "src"): "a/src/sub/f", filepath.Join(dir, "src") + "/": "b/sub/f"} {
		in := provider.PropsOf(map[string]any{"connection": conn, "remotePath": filepath.Join(dir, want[:1])})
		a, err := resource.NewPathArchive(source)
		if err != nil {
			t.Fatal(err)
		}
		in["source"] = resource.NewProperty(a)
		if _, err := tester().Create("command:remote:CopyToRemote", in, false); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, want)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGlobs(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"assets/logos/logo.svg", "src/index.js", "src/secret.js", "other.txt"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(f)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, f), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := globFiles(dir, []string{"assets/**", "src/**.js", "!**secret.*"})
	if err != nil || strings.Join(got, " ") != "assets/logos/logo.svg src/index.js" {
		t.Fatalf("%v %v", got, err)
	}
}

func TestPatienceIsNotLessThanTheOfficialProviders(t *testing.T) {
	for limit, want := range map[int]time.Duration{0: 0, 1: 100 * time.Millisecond, 3: 475 * time.Millisecond} {
		if got := patience(limit); got != want {
			t.Errorf("patience(%d) = %v, want %v", limit, got, want)
		}
	}
	if p := patience(10); p < 11*time.Second || p > 12*time.Second {
		t.Errorf("patience(10) = %v", p)
	}
}
