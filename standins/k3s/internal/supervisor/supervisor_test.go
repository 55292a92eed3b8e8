package supervisor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes/fake"

	"groundwork/standins/k3s/internal/pki"
	"groundwork/standins/k3s/internal/token"
)

type fixture struct {
	*httptest.Server
	dir string
}

func serve(t *testing.T) fixture {
	t.Helper()
	dir := t.TempDir()
	if _, err := pki.EnsureServer(dir, pki.Names{NodeName: "s", ServiceIP: "10.43.0.1", ClusterDomain: "cluster.local"}); err != nil {
		t.Fatal(err)
	}
	write := func(name, user, password string) string {
		f := filepath.Join(dir, name)
		if err := os.WriteFile(f, []byte(token.Full([]byte("ca"), user, password)), 0o600); err != nil {
			t.Fatal(err)
		}
		return f
	}
	v, err := New(Settings{TLSDir: dir, TokenFile: write("token", "server", "sesame"), AgentFile: write("agent-token", "node", "agents-only"),
		Cluster: Cluster{ClusterDNS: "10.43.0.10"}}, fake.NewClientset())
	if err != nil {
		t.Fatal(err)
	}
	api := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the API") })
	s := httptest.NewServer(v.Wrap(api))
	t.Cleanup(s.Close)
	return fixture{s, dir}
}

func (f fixture) do(t *testing.T, method, path, password, body string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, f.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if password != "" {
		r.SetBasicAuth("node", password)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestWhoMaySeeWhat(t *testing.T) {
	f := serve(t)
	for _, tc := range []struct {
		path, password string
		want           int
	}{
		{"/ping", "", 200}, {"/cacerts", "", 200}, {"/version", "", 200}, {"/api", "", 200},
		{"/v1-k3s/config", "", 401}, {"/v1-k3s/config", "wrong", 401}, {"/v1-k3s/config", "sesame", 200}, {"/v1-k3s/config", "agents-only", 200},
		{"/v1-k3s/server-bootstrap", "agents-only", 401}, {"/v1-k3s/server-bootstrap", "sesame", 200},
		{"/db/info", "agents-only", 401}, {"/v1-k3s/nothing", "sesame", 404},
	} {
		if got, body := f.do(t, "GET", tc.path, tc.password, ""); got != tc.want {
			t.Errorf("%s with %q: %d %s, want %d", tc.path, tc.password, got, body, tc.want)
		}
	}
}

func TestAJoiningServerGetsEveryAuthority(t *testing.T) {
	f := serve(t)
	_, body := f.do(t, "GET", "/v1-k3s/server-bootstrap", "sesame", "")
	var b Bootstrap
	if err := json.Unmarshal([]byte(body), &b); err != nil {
		t.Fatal(err)
	}
	for _, name := range pki.SharedFiles {
		if len(b.Files[name]) == 0 {
			t.Errorf("%s is missing", name)
		}
	}
	if b.Agent != "agents-only" {
		t.Errorf("agent token %q", b.Agent)
	}
}

func request(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func TestANodesNameBelongsToWhoCameFirst(t *testing.T) {
	f := serve(t)
	ask := func(password string) (int, string) {
		return f.do(t, "POST", "/v1-k3s/client-kubelet.crt", "agents-only", request(t), "k3s-Node-Name", "n1", "k3s-Node-Password", password, "k3s-Node-IP", "10.0.0.7")
	}
	status, body := ask("mine")
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	block, _ := pem.Decode([]byte(body))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if cert.Subject.CommonName != "system:node:n1" || cert.Subject.Organization[0] != "system:nodes" {
		t.Fatalf("subject %s", cert.Subject)
	}
	if status, _ := ask("mine"); status != 200 {
		t.Fatalf("the same node again: %d", status)
	}
	if status, body := ask("another's"); status != 403 || !strings.Contains(body, "n1.node-password.k3s") {
		t.Fatalf("another machine: %d %s", status, body)
	}
	if status, _ := f.do(t, "POST", "/v1-k3s/client-kubelet.crt", "agents-only", request(t)); status != 400 {
		t.Fatalf("no name: %d", status)
	}
	if status, _ := f.do(t, "POST", "/v1-k3s/serving-kubelet.crt", "sesame", "garbage", "k3s-Node-Name", "n2", "k3s-Node-Password", "p"); status != 400 {
		t.Fatalf("no request: %d", status)
	}
}
