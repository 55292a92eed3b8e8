// Package dns is lego's registry of DNS-01 providers, cut down. Upstream's links about 190 vendor SDKs into the edge,
// which triples its size and its build. These need no SDK: a hook that a command or an HTTP service of one's own
// answers, RFC 2136 updates, and the two providers that the vps target's documentation names.
package dns

import (
	"fmt"

	"github.com/go-acme/lego/v4/challenge"
	"github.com/go-acme/lego/v4/challenge/dns01"
	"github.com/go-acme/lego/v4/providers/dns/acmedns"
	"github.com/go-acme/lego/v4/providers/dns/cloudflare"
	"github.com/go-acme/lego/v4/providers/dns/exec"
	"github.com/go-acme/lego/v4/providers/dns/hetzner"
	"github.com/go-acme/lego/v4/providers/dns/httpreq"
	"github.com/go-acme/lego/v4/providers/dns/rfc2136"
)

// NewDNSChallengeProviderByName makes the provider of that name, configured from its environment variables.
func NewDNSChallengeProviderByName(name string) (challenge.Provider, error) {
	switch name {
	case "acme-dns", "acmedns":
		return acmedns.NewDNSProvider()
	case "cloudflare":
		return cloudflare.NewDNSProvider()
	case "exec":
		return exec.NewDNSProvider()
	case "hetzner":
		return hetzner.NewDNSProvider()
	case "httpreq":
		return httpreq.NewDNSProvider()
	case "manual":
		return dns01.NewDNSProviderManual()
	case "rfc2136":
		return rfc2136.NewDNSProvider()
	default:
		return nil, fmt.Errorf("DNS provider %q is not in this build of Traefik", name)
	}
}
