package pki

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var names = Names{NodeName: "n1", Addresses: []string{"127.0.0.1", "10.0.0.1"}, ServiceIP: "10.43.0.1", ClusterDomain: "cluster.local"}

func TestAServersCertificatesVerify(t *testing.T) {
	dir := t.TempDir()
	a, err := EnsureServer(dir, names)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		base  string
		ca    *Pair
		usage x509.ExtKeyUsage
		names []string
	}{
		{"serving-kube-apiserver", a.Server, x509.ExtKeyUsageServerAuth, []string{"10.43.0.1", "10.0.0.1", "127.0.0.1", "n1", "kubernetes.default.svc.cluster.local"}},
		{"client-admin", a.Client, x509.ExtKeyUsageClientAuth, nil},
		{"client-auth-proxy", a.RequestHeader, x509.ExtKeyUsageClientAuth, nil},
		{"etcd/peer-server-client", a.EtcdPeer, x509.ExtKeyUsageServerAuth, []string{"10.0.0.1"}},
		{"etcd/client", a.EtcdServer, x509.ExtKeyUsageClientAuth, nil},
	} {
		p, err := Read(filepath.Join(dir, tc.base+".crt"), filepath.Join(dir, tc.base+".key"))
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AddCert(tc.ca.Cert)
		for _, n := range append(tc.names, "") {
			if _, err := p.Cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: n, KeyUsages: []x509.ExtKeyUsage{tc.usage}}); err != nil {
				t.Errorf("%s for %q: %v", tc.base, n, err)
			}
		}
	}
	for _, f := range SharedFiles {
		st, err := os.Stat(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f, st.Mode())
		}
	}
}

func TestARestartKeepsCertificatesAndANewNameRenews(t *testing.T) {
	dir := t.TempDir()
	read := func(f string) string {
		b, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if _, err := EnsureServer(dir, names); err != nil {
		t.Fatal(err)
	}
	ca, leaf, key := read("server-ca.crt"), read("serving-kube-apiserver.crt"), read("serving-kube-apiserver.key")
	if _, err := EnsureServer(dir, names); err != nil {
		t.Fatal(err)
	}
	if read("server-ca.crt") != ca || read("serving-kube-apiserver.crt") != leaf {
		t.Fatal("an unchanged start must not issue anew")
	}
	more := names
	more.Addresses = append([]string{"k3s.example"}, names.Addresses...)
	if _, err := EnsureServer(dir, more); err != nil {
		t.Fatal(err)
	}
	if read("serving-kube-apiserver.crt") == leaf {
		t.Fatal("a new name must be in a new certificate")
	}
	if read("server-ca.crt") != ca || read("serving-kube-apiserver.key") != key {
		t.Fatal("authority and key must stay")
	}
}

func TestKubeconfigsNameOrEmbed(t *testing.T) {
	dir := t.TempDir()
	if _, err := EnsureServer(dir, names); err != nil {
		t.Fatal(err)
	}
	f := func(n string) string { return filepath.Join(dir, n) }
	for _, embed := range []bool{false, true} {
		if err := Kubeconfig(f("kc"), "https://127.0.0.1:6443", f("server-ca.crt"), f("client-admin.crt"), f("client-admin.key"), embed, 0o640); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(f("kc"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "client-key-data") != embed {
			t.Errorf("embed %v gave\n%s", embed, b)
		}
		if st, err := os.Stat(f("kc")); err != nil || st.Mode().Perm() != 0o640 {
			t.Errorf("mode %v %v", st.Mode(), err)
		}
	}
}
