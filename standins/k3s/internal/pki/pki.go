// Package pki makes and keeps a cluster's certificates as files, under the names that K3s gives them.
package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"slices"
	"time"
)

// Lifetimes are K3s's: ten years for authorities, one for leaves, renewed at a start within 120 days of the end.
const (
	caLife    = 10 * 365 * 24 * time.Hour
	leafLife  = 365 * 24 * time.Hour
	renewFrom = 120 * 24 * time.Hour
)

// Pair is a certificate with its key. PEM is the certificate file's content.
type Pair struct {
	Cert *x509.Certificate
	Key  crypto.Signer
	PEM  []byte
}

// Leaf says what a certificate is for.
type Leaf struct {
	CommonName   string
	Organization []string
	Names        []string // DNS names and addresses
	Server       bool     // may serve
	Client       bool     // may authenticate as a client
}

// CA loads the authority at base.crt and base.key, or makes it.
func CA(base, name string) (*Pair, error) {
	p, err := Read(base+".crt", base+".key")
	if err == nil || !errors.Is(err, os.ErrNotExist) {
		return p, err
	}
	key, err := Key(base + ".key")
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		// K3s puts the time into the name, so that two clusters' authorities are told apart.
		Subject: pkix.Name{CommonName: fmt.Sprintf("%s@%d", name, time.Now().Unix())},
		IsCA:    true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	der, err := sign(template, nil, key.Public(), key, caLife)
	if err != nil {
		return nil, err
	}
	if err := writePEM(base+".crt", "CERTIFICATE", der); err != nil {
		return nil, err
	}
	return Read(base+".crt", base+".key")
}

// Ensure keeps base.crt valid: issued by ca, with at least leaf's names, not near its end. The key at keyFile is kept.
func Ensure(ca *Pair, certFile, keyFile string, leaf Leaf) (*Pair, error) {
	key, err := Key(keyFile)
	if err != nil {
		return nil, err
	}
	if p, err := Read(certFile, keyFile); err == nil && current(p, ca, leaf) {
		return p, nil
	}
	b, err := Issue(ca, key.Public(), leaf)
	if err != nil {
		return nil, err
	}
	if err := WriteFile(certFile, b, 0o600); err != nil {
		return nil, err
	}
	return Read(certFile, keyFile)
}

// Issue signs a leaf for a public key and returns it as PEM, followed by its authority.
func Issue(ca *Pair, public crypto.PublicKey, leaf Leaf) ([]byte, error) {
	t := &x509.Certificate{
		Subject:               pkix.Name{CommonName: leaf.CommonName, Organization: leaf.Organization},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		BasicConstraintsValid: true,
	}
	if leaf.Server {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if leaf.Client {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	t.DNSNames, t.IPAddresses = split(leaf.Names)
	der, err := sign(t, ca.Cert, public, ca.Key, leafLife)
	if err != nil {
		return nil, err
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), ca.PEM...), nil
}

// sign fills in serial and validity. parent nil: self-signed.
func sign(t, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer, life time.Duration) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	if err != nil {
		return nil, err
	}
	t.SerialNumber = serial
	// An hour back, for clocks that differ between machines.
	t.NotBefore, t.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(life)
	if parent == nil {
		parent = t
	} else if t.NotAfter.After(parent.NotAfter) {
		t.NotAfter = parent.NotAfter
	}
	return x509.CreateCertificate(rand.Reader, t, parent, public, signer)
}

// current tells whether p can stay.
func current(p, ca *Pair, leaf Leaf) bool {
	if p.Cert.CheckSignatureFrom(ca.Cert) != nil || time.Until(p.Cert.NotAfter) < renewFrom {
		return false
	}
	if p.Cert.Subject.CommonName != leaf.CommonName || !slices.Equal(p.Cert.Subject.Organization, leaf.Organization) {
		return false
	}
	dns, ips := split(leaf.Names)
	for _, d := range dns {
		if !slices.Contains(p.Cert.DNSNames, d) {
			return false
		}
	}
	for _, ip := range ips {
		if !slices.ContainsFunc(p.Cert.IPAddresses, ip.Equal) {
			return false
		}
	}
	return true
}

func split(names []string) (dns []string, ips []net.IP) {
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			ips = append(ips, ip)
		} else if n != "" && !slices.Contains(dns, n) {
			dns = append(dns, n)
		}
	}
	return dns, ips
}
