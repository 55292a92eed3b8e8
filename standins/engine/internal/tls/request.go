package tls

import (
	"crypto/rand"
	"crypto/sha1" // #nosec G505: names a request, as the official provider does
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"groundwork.dev/standins/engine/internal/provider"
)

type subject struct {
	CommonName, Country, EmailAddress, Locality, Organization, OrganizationalUnit, PostalCode, Province, SerialNumber string
	StreetAddresses                                                                                                   []string
}

// name gives the distinguished name; an empty field is left out.
func (s *subject) name() pkix.Name {
	if s == nil {
		return pkix.Name{}
	}
	one := func(v string) []string {
		if v == "" {
			return nil
		}
		return []string{v}
	}
	n := pkix.Name{
		CommonName: s.CommonName, SerialNumber: s.SerialNumber, Country: one(s.Country), Locality: one(s.Locality), Organization: one(s.Organization),
		OrganizationalUnit: one(s.OrganizationalUnit), PostalCode: one(s.PostalCode), Province: one(s.Province), StreetAddress: s.StreetAddresses,
	}
	if s.EmailAddress != "" {
		n.ExtraNames = []pkix.AttributeTypeAndValue{{
			Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte(s.EmailAddress)},
		}}
	}
	return n
}

type names struct{ DNSNames, IPAddresses, Uris []string }

func (n names) parse() ([]net.IP, []*url.URL, error) {
	var ips []net.IP
	for _, s := range n.IPAddresses {
		ip := net.ParseIP(s)
		if ip == nil {
			return nil, nil, fmt.Errorf("ipAddresses: %q is no IP address", s)
		}
		ips = append(ips, ip)
	}
	var uris []*url.URL
	for _, s := range n.Uris {
		u, err := url.Parse(s)
		if err != nil {
			return nil, nil, fmt.Errorf("uris: %w", err)
		}
		uris = append(uris, u)
	}
	return ips, uris, nil
}

// keyFields are the two ways to give a private key: kept in the state, or write-only.
func keyFields(prefix string) map[string]provider.Field {
	return map[string]provider.Field{
		prefix: secret(str), prefix + "Wo": secret(str), prefix + "WoVersion": replaces(provider.Field{Kind: provider.Integer}),
	}
}

func oneKey(prefix string) func(provider.Props) []provider.Failure {
	return func(in provider.Props) []provider.Failure {
		_, kept := in[provider.Key(prefix)]
		_, writeOnly := in[provider.Key(prefix+"Wo")]
		if kept == writeOnly {
			return []provider.Failure{{Property: prefix, Reason: "exactly one of " + prefix + " and " + prefix + "Wo must be given"}}
		}
		return nil
	}
}

func certRequest() *provider.Resource {
	inputs := keyFields("privateKeyPem")
	inputs["subject"] = subjectField()
	inputs["dnsNames"], inputs["ipAddresses"], inputs["uris"] = replaces(strList), replaces(strList), replaces(strList)
	return &provider.Resource{
		Inputs:  inputs,
		Outputs: map[string]provider.Field{"certRequestPem": str, "keyAlgorithm": str},
		Check:   oneKey("privateKeyPem"),
		Create: func(c *provider.Call) (string, provider.Props, error) {
			var in struct {
				PrivateKeyPem, PrivateKeyPemWo string
				Subject                        *subject
				names
			}
			if err := c.Decode(&in); err != nil {
				return "", nil, err
			}
			key, algorithm, err := parseKey(in.PrivateKeyPem + in.PrivateKeyPemWo)
			if err != nil {
				return "", nil, err
			}
			ips, uris, err := in.parse()
			if err != nil {
				return "", nil, err
			}
			der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: in.Subject.name(), DNSNames: in.DNSNames, IPAddresses: ips, URIs: uris}, key)
			if err != nil {
				return "", nil, err
			}
			text := encodePEM("CERTIFICATE REQUEST", der)
			sum := sha1.Sum([]byte(strings.TrimSpace(text))) // #nosec G401
			return hex.EncodeToString(sum[:]), provider.PropsOf(map[string]any{"certRequestPem": text, "keyAlgorithm": algorithm}), nil
		},
	}
}

func parseRequest(text string) (*x509.CertificateRequest, error) {
	der, err := blockOf(text, "CERTIFICATE REQUEST")
	if err != nil {
		return nil, err
	}
	req, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("the certificate request can't be read: %w", err)
	}
	if err := req.CheckSignature(); err != nil {
		return nil, errors.Join(errors.New("the certificate request's signature is wrong"), err)
	}
	return req, nil
}
