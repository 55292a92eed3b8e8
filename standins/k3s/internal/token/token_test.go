package token

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFullTokensRoundTripAndGuardTheCA(t *testing.T) {
	ca := []byte("-----BEGIN CERTIFICATE-----\n")
	tok, err := Parse(Full(ca, ServerUser, "pa:ss") + "\n")
	if err != nil {
		t.Fatal(err)
	}
	if tok.User != "server" || tok.Password != "pa:ss" {
		t.Fatalf("%+v", tok)
	}
	if err := tok.CheckCA(ca); err != nil {
		t.Fatal(err)
	}
	if err := tok.CheckCA([]byte("another")); err == nil || !strings.Contains(err.Error(), "not the cluster") {
		t.Fatalf("another CA passed: %v", err)
	}
}

func TestAShortTokenIsThePassword(t *testing.T) {
	tok, err := Parse("K10isjustapassword")
	if err != nil || tok.Password != "K10isjustapassword" || tok.CAHash != "" {
		t.Fatalf("%+v %v", tok, err)
	}
	if err := tok.CheckCA([]byte("any")); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedTokensAreRefused(t *testing.T) {
	for _, s := range []string{"", " \n", "K10abc::server:x", "K10" + strings.Repeat("a", 64) + "::server", "K10" + strings.Repeat("a", 64) + "::server:"} {
		if tok, err := Parse(s); err == nil {
			t.Errorf("%q gave %+v", s, tok)
		}
	}
}

func TestEnsureKeepsWhatTheClusterKnows(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	first, err := Ensure("", file)
	if err != nil || len(first) != 64 {
		t.Fatalf("%q %v", first, err)
	}
	if err := os.WriteFile(file, []byte(Full([]byte("ca"), ServerUser, first)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, configured := range []string{"", first, Full([]byte("ca"), ServerUser, first)} {
		if again, err := Ensure(configured, file); err != nil || again != first {
			t.Errorf("%q: %q %v", configured, again, err)
		}
	}
	if _, err := Ensure("other", file); err == nil {
		t.Error("another token than the cluster's was accepted")
	}
}
