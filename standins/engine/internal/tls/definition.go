// Package tls stands in for the official tls provider: private keys, certificate requests and certificates, made here and kept
// in the state.
package tls

import (
	"groundwork.dev/standins/engine/internal/provider"
)

var (
	str     = provider.Field{Kind: provider.String}
	boolean = provider.Field{Kind: provider.Bool}
	strList = provider.Field{Kind: provider.List, Elem: &str}
)

// Definition describes the provider.
func Definition(version string) *provider.Definition {
	return &provider.Definition{
		Name: "tls", Version: version, IDProperty: true,
		Resources: map[string]*provider.Resource{
			"tls:index/privateKey:PrivateKey":               privateKey(),
			"tls:index/certRequest:CertRequest":             certRequest(),
			"tls:index/selfSignedCert:SelfSignedCert":       selfSignedCert(),
			"tls:index/locallySignedCert:LocallySignedCert": locallySignedCert(),
		},
		Functions: map[string]*provider.Function{"tls:index/getPublicKey:getPublicKey": getPublicKey()},
		Config:    map[string]provider.Field{"proxy": {}},
	}
}

func required(f provider.Field) provider.Field { f.Required, f.Replace = true, true; return f }
func replaces(f provider.Field) provider.Field { f.Replace = true; return f }
func secret(f provider.Field) provider.Field   { f.Secret, f.Replace = true, true; return f }

// subjectField is the distinguished name of a certificate or request.
func subjectField() provider.Field {
	return provider.Field{Kind: provider.Object, Replace: true, Fields: map[string]provider.Field{
		"commonName": str, "country": str, "emailAddress": str, "locality": str, "organization": str, "organizationalUnit": str,
		"postalCode": str, "province": str, "serialNumber": str, "streetAddresses": strList,
	}}
}

// merged lays the inputs over defaults that the state shows although the program did not give them.
func merged(in provider.Props, defaults map[string]any) provider.Props {
	out := provider.PropsOf(defaults)
	for k := range out {
		if v, has := in[k]; has {
			out[k] = v
		}
	}
	return out
}
