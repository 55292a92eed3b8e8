package tls

import (
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"groundwork.dev/standins/engine/internal/provider"
)

var keyUsages = map[string]x509.KeyUsage{
	"digital_signature": x509.KeyUsageDigitalSignature, "content_commitment": x509.KeyUsageContentCommitment,
	"key_encipherment": x509.KeyUsageKeyEncipherment, "data_encipherment": x509.KeyUsageDataEncipherment,
	"key_agreement": x509.KeyUsageKeyAgreement, "cert_signing": x509.KeyUsageCertSign, "crl_signing": x509.KeyUsageCRLSign,
	"encipher_only": x509.KeyUsageEncipherOnly, "decipher_only": x509.KeyUsageDecipherOnly,
}

var extKeyUsages = map[string]x509.ExtKeyUsage{
	"any_extended": x509.ExtKeyUsageAny, "server_auth": x509.ExtKeyUsageServerAuth, "client_auth": x509.ExtKeyUsageClientAuth,
	"code_signing": x509.ExtKeyUsageCodeSigning, "email_protection": x509.ExtKeyUsageEmailProtection,
	"ipsec_end_system": x509.ExtKeyUsageIPSECEndSystem, "ipsec_tunnel": x509.ExtKeyUsageIPSECTunnel, "ipsec_user": x509.ExtKeyUsageIPSECUser,
	"timestamping": x509.ExtKeyUsageTimeStamping, "ocsp_signing": x509.ExtKeyUsageOCSPSigning,
	"microsoft_server_gated_crypto":     x509.ExtKeyUsageMicrosoftServerGatedCrypto,
	"netscape_server_gated_crypto":      x509.ExtKeyUsageNetscapeServerGatedCrypto,
	"microsoft_commercial_code_signing": x509.ExtKeyUsageMicrosoftCommercialCodeSigning,
	"microsoft_kernel_code_signing":     x509.ExtKeyUsageMicrosoftKernelCodeSigning,
}

// certInputs are those of both kinds of certificate.
type certInputs struct {
	AllowedUses                        []string
	ValidityPeriodHours                float64
	EarlyRenewalHours                  float64
	IsCaCertificate                    bool
	SetSubjectKeyID                    bool `json:"setSubjectKeyId"`
	SetAuthorityKeyID                  bool `json:"setAuthorityKeyId"`
	MaxPathLength                      *int
	Subject                            *subject
	PrivateKeyPem, PrivateKeyPemWo     string
	CaPrivateKeyPem, CaPrivateKeyPemWo string
	CaCertPem, CertRequestPem          string
	ValidityStartTime, ValidityEndTime string
	names
}

// certDefaults are values that the state shows although the program did not give them.
var certDefaults = map[string]any{"earlyRenewalHours": 0, "isCaCertificate": false, "setSubjectKeyId": false}

// certificate completes a certificate resource: the fields, the defaults and the renewal that both kinds share.
func certificate(inputs map[string]provider.Field, outputs map[string]provider.Field, keyPrefix string, defaults map[string]any, issue func(in *certInputs, template *x509.Certificate) ([]byte, map[string]any, error)) *provider.Resource {
	computed := provider.Field{Kind: provider.Bool, Replace: true, Computed: true}
	all := map[string]provider.Field{
		"allowedUses":         required(strList),
		"validityPeriodHours": required(provider.Field{Kind: provider.Integer}),
		"earlyRenewalHours":   {Kind: provider.Integer, Computed: true},
		"isCaCertificate":     computed, "setSubjectKeyId": computed, "maxPathLength": replaces(provider.Field{Kind: provider.Integer}),
	}
	for k, v := range inputs {
		all[k] = v
	}
	outs := map[string]provider.Field{"certPem": str, "readyForRenewal": boolean, "validityStartTime": str, "validityEndTime": str}
	for k, v := range outputs {
		outs[k] = v
	}
	r := &provider.Resource{Inputs: all, Outputs: outs}
	r.Check = func(in provider.Props) []provider.Failure {
		fails := oneKey(keyPrefix)(in)
		for i, v := range listOf(in["allowedUses"]) {
			if v.IsString() && keyUsages[v.StringValue()] == 0 {
				if _, ext := extKeyUsages[v.StringValue()]; !ext {
					fails = append(fails, provider.Failure{Property: fmt.Sprintf("allowedUses[%d]", i), Reason: fmt.Sprintf("no such use: %q", v.StringValue())})
				}
			}
		}
		return fails
	}
	r.Preview = func(c *provider.Call) provider.Props {
		out := merged(c.Inputs, defaults)
		out["readyForRenewal"] = provider.Value(false)
		return out
	}
	r.Create = func(c *provider.Call) (string, provider.Props, error) {
		var in certInputs
		if err := c.Decode(&in); err != nil {
			return "", nil, err
		}
		template, err := in.template(time.Now())
		if err != nil {
			return "", nil, err
		}
		der, extra, err := issue(&in, template)
		if err != nil {
			return "", nil, err
		}
		all := merged(c.Inputs, defaults)
		for k, v := range extra {
			all[provider.Key(k)] = provider.Value(v)
		}
		all["certPem"] = provider.Value(encodePEM("CERTIFICATE", der))
		// A period of early renewal as long as the certificate's life makes it due from the start.
		all["readyForRenewal"] = provider.Value(in.EarlyRenewalHours > 0 && in.EarlyRenewalHours >= in.ValidityPeriodHours)
		all["validityStartTime"] = provider.Value(template.NotBefore.Format(time.RFC3339))
		all["validityEndTime"] = provider.Value(template.NotAfter.Format(time.RFC3339))
		return template.SerialNumber.String(), all, nil
	}
	// A certificate whose time to renew has come is replaced by the next update.
	r.Diff = func(c *provider.Call, d *provider.Diff) {
		if due(c.State, c.Inputs, time.Now()) {
			d.Changed["readyForRenewal"] = provider.Change{Replace: true, Output: true}
		}
	}
	r.Read = func(c *provider.Call) (*provider.Reading, error) {
		outs := provider.Props{}
		for k := range r.Outputs {
			if v, has := c.State[provider.Key(k)]; has {
				outs[provider.Key(k)] = v
			}
		}
		if due(c.State, c.Inputs, time.Now()) {
			outs["readyForRenewal"] = provider.Value(true)
		}
		return &provider.Reading{ID: c.ID, Outputs: outs}, nil
	}
	r.Update = func(c *provider.Call) (provider.Props, error) {
		all := merged(c.Inputs, defaults)
		for k := range r.Outputs {
			if v, has := c.State[provider.Key(k)]; has {
				all[provider.Key(k)] = v
			}
		}
		return all, nil
	}
	return r
}

// due says whether the certificate in the state ends within the hours of early renewal.
func due(state, inputs provider.Props, now time.Time) bool {
	var was, is certInputs
	if provider.Decode(state, &was) != nil || provider.Decode(inputs, &is) != nil {
		return false
	}
	end, err := time.Parse(time.RFC3339, was.ValidityEndTime)
	return err == nil && !now.Before(end.Add(-time.Duration(is.EarlyRenewalHours*float64(time.Hour))))
}

// template makes the parts of a certificate that the inputs alone decide.
func (in *certInputs) template(now time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{SerialNumber: serial, NotBefore: now, NotAfter: now.Add(time.Duration(in.ValidityPeriodHours * float64(time.Hour))), BasicConstraintsValid: true}
	for _, use := range in.AllowedUses {
		t.KeyUsage |= keyUsages[use]
		if ext, ok := extKeyUsages[use]; ok {
			t.ExtKeyUsage = append(t.ExtKeyUsage, ext)
		}
	}
	t.IsCA = in.IsCaCertificate
	if in.MaxPathLength != nil {
		t.MaxPathLen, t.MaxPathLenZero = *in.MaxPathLength, *in.MaxPathLength == 0
	}
	return t, nil
}

func listOf(v resource.PropertyValue) []resource.PropertyValue {
	if v = provider.Bare(v); v.IsArray() {
		return v.ArrayValue()
	}
	return nil
}
