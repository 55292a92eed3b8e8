package agent

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestAUsersArgumentReplacesTheNodesOwn(t *testing.T) {
	got := Flags("x", map[string]string{"a": "1", "b": "2", "empty": ""}, []string{"b=3", "--c=d=e", "bare"})
	if want := []string{"x", "--a=1", "--b=3", "--c=d=e", "--bare=true"}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func TestRegistriesBecomeHostsFiles(t *testing.T) {
	out, err := hostsFiles([]byte(`
mirrors:
  docker.io: { endpoint: ["https://mirror.example:5000"] }
  "*": { endpoint: ["http://10.0.0.1:5000"] }
configs:
  "mirror.example:5000": { tls: { ca_file: /etc/ca.crt, insecure_skip_verify: true } }
`))
	if err != nil {
		t.Fatal(err)
	}
	hub := out["docker.io"]
	for _, want := range []string{`server = "https://registry-1.docker.io"`, `[host."https://mirror.example:5000"]`, `ca = "/etc/ca.crt"`, "skip_verify = true"} {
		if !strings.Contains(hub, want) {
			t.Errorf("no %s in\n%s", want, hub)
		}
	}
	if all := out["_default"]; strings.Contains(all, "server =") || !strings.Contains(all, `[host."http://10.0.0.1:5000"]`) {
		t.Errorf("the mirror of everything:\n%s", all)
	}
	for name, bad := range map[string]string{
		"unknown key": "mirors: {}", "no URL": "mirrors: {a: {endpoint: [b]}}",
		"rewrite":     "mirrors: {a: {endpoint: [\"https://b\"], rewrite: {c: d}}}",
		"credentials": "mirrors: {a: {endpoint: [\"https://b\"]}}\nconfigs: {b: {auth: {username: u}}}",
	} {
		if _, err := hostsFiles([]byte(bad)); err == nil {
			t.Errorf("%s passed", name)
		}
	}
}

func TestALoopbackResolverIsNotForPods(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]bool{
		"nameserver 10.0.0.2\nsearch x\n":               true,
		"nameserver 127.0.0.53\n":                       false,
		"nameserver 10.0.0.2\nnameserver ::1\n":         false,
		"# nothing\n":                                   false,
		"nameserver 10.0.0.2 # with a comment\noptions": true,
	} {
		f := filepath.Join(dir, "resolv.conf")
		if err := os.WriteFile(f, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if HasResolver(f) != want {
			t.Errorf("%q: want %v", text, want)
		}
	}
}

func TestTheNodePasswordIsMadeOnce(t *testing.T) {
	f := filepath.Join(t.TempDir(), "node", "password")
	a, err := nodePassword(f)
	if err != nil || len(a) != 32 {
		t.Fatalf("%q %v", a, err)
	}
	if b, err := nodePassword(f); err != nil || a != b {
		t.Fatalf("%q then %q, %v", a, b, err)
	}
}

func TestTheBalancerGoesOnWithAServerThatWorks(t *testing.T) {
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := dead.Addr().String()
	dead.Close()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "here")
			c.Close()
		}
	}()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &Balancer{listener: front, servers: []string{gone, server.Addr().String()}, client: &Client{URL: "http://127.0.0.1:1", http: nil}}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go b.accept(ctx)
	for range 2 {
		c, err := net.Dial("tcp", front.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c)
		c.Close()
		if err != nil || string(got) != "here" {
			t.Fatalf("%q %v", got, err)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.servers[0] != server.Addr().String() {
		t.Fatalf("the dead server still comes first: %v", b.servers)
	}
}
