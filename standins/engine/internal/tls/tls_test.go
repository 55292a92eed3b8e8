package tls

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"groundwork.dev/standins/engine/internal/provider"
)

type props = map[string]any

const (
	keyToken  = "tls:index/privateKey:PrivateKey"
	reqToken  = "tls:index/certRequest:CertRequest"
	selfToken = "tls:index/selfSignedCert:SelfSignedCert"
	leafToken = "tls:index/locallySignedCert:LocallySignedCert"
)

func tester() *provider.Tester { return provider.NewTester(Definition("5.6.1")) }

func create(t *testing.T, token string, in props) *provider.State {
	t.Helper()
	s, err := tester().Create(token, provider.PropsOf(in), false)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func parse(t *testing.T, s *provider.State) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(s.Text("certPem")))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestKeysReadBackInEveryForm(t *testing.T) {
	for _, in := range []props{{"algorithm": "ED25519"}, {"algorithm": "ECDSA", "ecdsaCurve": "P384"}, {"algorithm": "RSA", "rsaBits": 2048}} {
		s := create(t, keyToken, in)
		for _, form := range []string{"privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"} {
			if !s.Props[provider.Key(form)].IsSecret() {
				t.Errorf("%s is no secret", form)
			}
			key, algorithm, err := parseKey(s.Text(form))
			if err != nil || algorithm != in["algorithm"] {
				t.Fatalf("%v %s: %v", in, form, err)
			}
			pub, err := ssh.NewPublicKey(key.Public())
			if err != nil || string(ssh.MarshalAuthorizedKey(pub)) != s.Text("publicKeyOpenssh") || ssh.FingerprintSHA256(pub) != s.Text("publicKeyFingerprintSha256") {
				t.Fatalf("%v %s: another public key: %v", in, form, err)
			}
		}
	}
}

func TestP224HasNoOpensshForm(t *testing.T) {
	s := create(t, keyToken, props{"algorithm": "ECDSA"})
	if s.Text("ecdsaCurve") != "P224" || s.Text("publicKeyOpenssh") != "" || s.Text("privateKeyOpenssh") != "" || s.Text("privateKeyPem") == "" {
		t.Fatalf("%v", s.Props)
	}
}

func TestChainIsTrusted(t *testing.T) {
	caKey, key := create(t, keyToken, props{"algorithm": "ECDSA", "ecdsaCurve": "P256"}), create(t, keyToken, props{"algorithm": "ED25519"})
	ca := create(t, selfToken, props{
		"privateKeyPem": caKey.Text("privateKeyPem"), "subject": props{"commonName": "ca", "organization": "o"}, "isCaCertificate": true, "setSubjectKeyId": true,
		"validityPeriodHours": 48, "allowedUses": []any{"cert_signing", "crl_signing"}, "maxPathLength": 0,
	})
	req := create(t, reqToken, props{"privateKeyPem": key.Text("privateKeyPem"), "dnsNames": []any{"x.local"}, "ipAddresses": []any{"10.0.0.1"}, "subject": props{"commonName": "x"}})
	leaf := create(t, leafToken, props{
		"certRequestPem": req.Text("certRequestPem"), "caPrivateKeyPem": caKey.Text("privateKeyPem"), "caCertPem": ca.Text("certPem"),
		"validityPeriodHours": 24, "allowedUses": []any{"server_auth", "digital_signature"},
	})
	root, cert := parse(t, ca), parse(t, leaf)
	pool := x509.NewCertPool()
	pool.AddCert(root)
	for _, name := range []string{"x.local", "10.0.0.1"} {
		if _, err := cert.Verify(x509.VerifyOptions{DNSName: name, Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err != nil {
			t.Error(err)
		}
	}
	if !root.IsCA || !root.MaxPathLenZero || cert.IsCA || leaf.ID != cert.SerialNumber.String() || cert.Subject.CommonName != "x" {
		t.Fatalf("%+v", cert)
	}
	if string(cert.AuthorityKeyId) != string(root.SubjectKeyId) {
		t.Fatal("the leaf does not name its CA's key")
	}
	if !ca.Inputs["privateKeyPem"].IsSecret() || !leaf.Props["caPrivateKeyPem"].IsSecret() {
		t.Fatal("private keys must be secret in inputs and state")
	}
}

func TestEarlyRenewalReplaces(t *testing.T) {
	p := tester()
	key := create(t, keyToken, props{"algorithm": "ED25519"})
	in := props{"privateKeyPem": key.Text("privateKeyPem"), "validityPeriodHours": 10, "earlyRenewalHours": 2, "allowedUses": []any{"server_auth"}}
	s := create(t, selfToken, in)
	if d, err := p.Diff(s, provider.PropsOf(in)); err != nil || len(d.GetDiffs()) != 0 {
		t.Fatalf("a fresh certificate: %v %v", d, err)
	}
	s.Props["validityEndTime"] = provider.Value(time.Now().Add(time.Hour).Format(time.RFC3339))
	if d, err := p.Diff(s, provider.PropsOf(in)); err != nil || strings.Join(d.GetReplaces(), " ") != "readyForRenewal" {
		t.Fatalf("an hour before its end: %v %v", d, err)
	}
	again, err := p.Read(selfToken, s.ID, s)
	if err != nil || !again.Props["readyForRenewal"].BoolValue() {
		t.Fatalf("%v %v", again, err)
	}
}

func TestBadInputs(t *testing.T) {
	for want, in := range map[string]props{
		"no such use":    {"privateKeyPem": "x", "validityPeriodHours": 1, "allowedUses": []any{"flying"}},
		"exactly one of": {"validityPeriodHours": 1, "allowedUses": []any{}},
		"no PEM block":   {"privateKeyPem": "x", "validityPeriodHours": 1, "allowedUses": []any{}},
	} {
		if _, err := tester().Create(selfToken, provider.PropsOf(in), false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
