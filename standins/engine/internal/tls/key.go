package tls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // #nosec G505: names a public key, as the official provider does
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"groundwork.dev/standins/engine/internal/provider"
)

var curves = map[string]elliptic.Curve{"P224": elliptic.P224(), "P256": elliptic.P256(), "P384": elliptic.P384(), "P521": elliptic.P521()}

func privateKey() *provider.Resource {
	defaults := func(in provider.Props) provider.Props {
		return merged(in, map[string]any{"ecdsaCurve": "P224", "rsaBits": 2048})
	}
	return &provider.Resource{
		Inputs: map[string]provider.Field{
			"algorithm":  {Kind: provider.String, Required: true, Replace: true, OneOf: []string{"RSA", "ECDSA", "ED25519"}},
			"ecdsaCurve": {Kind: provider.String, Replace: true, Computed: true, OneOf: []string{"P224", "P256", "P384", "P521"}},
			"rsaBits":    {Kind: provider.Integer, Replace: true, Computed: true},
		},
		Outputs: map[string]provider.Field{
			"privateKeyPem": {Kind: provider.String, Secret: true}, "privateKeyPemPkcs8": {Kind: provider.String, Secret: true},
			"privateKeyOpenssh": {Kind: provider.String, Secret: true}, "publicKeyPem": str, "publicKeyOpenssh": str,
			"publicKeyFingerprintMd5": str, "publicKeyFingerprintSha256": str,
		},
		Preview: func(c *provider.Call) provider.Props { return defaults(c.Inputs) },
		Create: func(c *provider.Call) (string, provider.Props, error) {
			outs := defaults(c.Inputs)
			var in struct {
				Algorithm, EcdsaCurve string
				RsaBits               int
			}
			if err := c.Decode(&in); err != nil {
				return "", nil, err
			}
			if err := provider.Decode(outs, &in); err != nil {
				return "", nil, err
			}
			key, err := makeKey(in.Algorithm, in.EcdsaCurve, in.RsaBits)
			if err != nil {
				return "", nil, err
			}
			id, derived, err := describeKey(key)
			for k, v := range derived {
				outs[provider.Key(k)] = provider.Value(v)
			}
			return id, outs, err
		},
	}
}

func makeKey(algorithm, curve string, bits int) (crypto.Signer, error) {
	switch algorithm {
	case "RSA":
		return rsa.GenerateKey(rand.Reader, bits)
	case "ECDSA":
		c, ok := curves[curve]
		if !ok {
			return nil, fmt.Errorf("no such curve: %q", curve)
		}
		return ecdsa.GenerateKey(c, rand.Reader)
	case "ED25519":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return nil, fmt.Errorf("no such key algorithm: %q", algorithm)
}

func encodePEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// describeKey renders a key in the forms of the resource's outputs; its id is the SHA-1 of the public key.
func describeKey(key crypto.Signer) (string, map[string]string, error) {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", nil, err
	}
	out := map[string]string{"privateKeyPemPkcs8": encodePEM("PRIVATE KEY", pkcs8), "privateKeyOpenssh": ""}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		out["privateKeyPem"] = encodePEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k))
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(k)
		if err != nil {
			return "", nil, err
		}
		out["privateKeyPem"] = encodePEM("EC PRIVATE KEY", der)
	default:
		out["privateKeyPem"] = out["privateKeyPemPkcs8"]
	}
	// OpenSSH has no form for P-224; its fields stay empty.
	if openssh, err := ssh.MarshalPrivateKey(key, ""); err == nil && !isP224(key.Public()) {
		out["privateKeyOpenssh"] = string(pem.EncodeToMemory(openssh))
	}
	id, public, err := describePublic(key.Public())
	for k, v := range public {
		out[k] = v
	}
	return id, out, err
}

func isP224(key crypto.PublicKey) bool {
	k, ok := key.(*ecdsa.PublicKey)
	return ok && k.Curve == elliptic.P224()
}

func describePublic(key crypto.PublicKey) (string, map[string]string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", nil, err
	}
	sum := sha1.Sum(der) // #nosec G401
	out := map[string]string{
		"publicKeyPem": encodePEM("PUBLIC KEY", der), "publicKeyOpenssh": "", "publicKeyFingerprintMd5": "", "publicKeyFingerprintSha256": "",
	}
	if !isP224(key) {
		if pub, err := ssh.NewPublicKey(key); err == nil {
			out["publicKeyOpenssh"] = string(ssh.MarshalAuthorizedKey(pub))
			out["publicKeyFingerprintMd5"] = ssh.FingerprintLegacyMD5(pub)
			out["publicKeyFingerprintSha256"] = ssh.FingerprintSHA256(pub)
		}
	}
	return hex.EncodeToString(sum[:]), out, nil
}

// parseKey reads a private key in PEM and names its algorithm.
func parseKey(text string) (crypto.Signer, string, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, "", errors.New("no PEM block in the private key")
	}
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "OPENSSH PRIVATE KEY":
		key, err = ssh.ParseRawPrivateKey([]byte(text))
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, "", fmt.Errorf("the private key can't be read: %w", err)
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return k, "RSA", nil
	case *ecdsa.PrivateKey:
		return k, "ECDSA", nil
	case ed25519.PrivateKey:
		return k, "ED25519", nil
	case *ed25519.PrivateKey:
		return *k, "ED25519", nil
	}
	return nil, "", fmt.Errorf("a private key of type %T is not supported", key)
}

func getPublicKey() *provider.Function {
	return &provider.Function{
		Inputs: map[string]provider.Field{"privateKeyPem": str, "privateKeyOpenssh": str},
		Run: func(c *provider.Call) (provider.Props, error) {
			var in struct{ PrivateKeyPem, PrivateKeyOpenssh string }
			if err := c.Decode(&in); err != nil {
				return nil, err
			}
			key, algorithm, err := parseKey(strings.TrimSpace(in.PrivateKeyPem+in.PrivateKeyOpenssh) + "\n")
			if err != nil {
				return nil, err
			}
			id, public, err := describePublic(key.Public())
			outs := provider.Props{}
			for k, v := range c.Inputs {
				outs[k] = v
			}
			for k, v := range public {
				outs[provider.Key(k)] = provider.Value(v)
			}
			outs["id"], outs["algorithm"] = provider.Value(id), provider.Value(algorithm)
			return outs, err
		},
	}
}
