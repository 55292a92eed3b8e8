package tls

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // #nosec G505: RFC 5280 names it for key identifiers
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"fmt"

	"groundwork.dev/standins/engine/internal/provider"
)

func selfSignedCert() *provider.Resource {
	inputs := keyFields("privateKeyPem")
	inputs["subject"] = subjectField()
	inputs["dnsNames"], inputs["ipAddresses"], inputs["uris"] = replaces(strList), replaces(strList), replaces(strList)
	inputs["setAuthorityKeyId"] = provider.Field{Kind: provider.Bool, Replace: true, Computed: true}
	defaults := map[string]any{"setAuthorityKeyId": false}
	for k, v := range certDefaults {
		defaults[k] = v
	}
	return certificate(inputs, map[string]provider.Field{"keyAlgorithm": str}, "privateKeyPem", defaults, func(in *certInputs, t *x509.Certificate) ([]byte, map[string]any, error) {
		key, algorithm, err := parseKey(in.PrivateKeyPem + in.PrivateKeyPemWo)
		if err != nil {
			return nil, nil, err
		}
		if t.IPAddresses, t.URIs, err = in.parse(); err != nil {
			return nil, nil, err
		}
		t.Subject, t.DNSNames = in.Subject.name(), in.DNSNames
		id, err := keyID(key.Public())
		if err != nil {
			return nil, nil, err
		}
		// Go fills both identifiers of a CA in by itself.
		if in.SetSubjectKeyID {
			t.SubjectKeyId = id
		}
		if in.SetAuthorityKeyID {
			t.AuthorityKeyId = id
		}
		der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
		return der, map[string]any{"keyAlgorithm": algorithm}, err
	})
}

func locallySignedCert() *provider.Resource {
	inputs := keyFields("caPrivateKeyPem")
	inputs["caCertPem"], inputs["certRequestPem"] = required(str), required(str)
	return certificate(inputs, map[string]provider.Field{"caKeyAlgorithm": str}, "caPrivateKeyPem", certDefaults, func(in *certInputs, t *x509.Certificate) ([]byte, map[string]any, error) {
		key, algorithm, err := parseKey(in.CaPrivateKeyPem + in.CaPrivateKeyPemWo)
		if err != nil {
			return nil, nil, err
		}
		caDER, err := blockOf(in.CaCertPem, "CERTIFICATE")
		if err != nil {
			return nil, nil, err
		}
		ca, err := x509.ParseCertificate(caDER)
		if err != nil {
			return nil, nil, fmt.Errorf("the CA's certificate can't be read: %w", err)
		}
		req, err := parseRequest(in.CertRequestPem)
		if err != nil {
			return nil, nil, err
		}
		t.Subject, t.DNSNames, t.IPAddresses, t.URIs, t.EmailAddresses = req.Subject, req.DNSNames, req.IPAddresses, req.URIs, req.EmailAddresses
		if in.SetSubjectKeyID {
			if t.SubjectKeyId, err = keyID(req.PublicKey); err != nil {
				return nil, nil, err
			}
		}
		der, err := x509.CreateCertificate(rand.Reader, t, ca, req.PublicKey, key)
		return der, map[string]any{"caKeyAlgorithm": algorithm}, err
	})
}

// keyID is the SHA-1 of the public key's bits (RFC 5280, 4.2.1.2).
func keyID(key crypto.PublicKey) ([]byte, error) {
	var bits []byte
	if k, ok := key.(*rsa.PublicKey); ok {
		bits = x509.MarshalPKCS1PublicKey(k)
	} else {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			return nil, err
		}
		var info struct {
			Algorithm asn1.RawValue
			Key       asn1.BitString
		}
		if _, err := asn1.Unmarshal(der, &info); err != nil {
			return nil, err
		}
		bits = info.Key.Bytes
	}
	sum := sha1.Sum(bits) // #nosec G401
	return sum[:], nil
}

func blockOf(text, kind string) ([]byte, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf("no PEM block where a %s is expected", kind)
	}
	if block.Type != kind {
		return nil, fmt.Errorf("a PEM block of type %s where a %s is expected", block.Type, kind)
	}
	return block.Bytes, nil
}
