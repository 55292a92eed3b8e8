// Package hcloud stands in for the official Hetzner Cloud provider: servers, networks, firewalls, load balancers, volumes and
// addresses, over the official Go client.
package hcloud

import (
	"os"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"groundwork.dev/standins/engine/internal/provider"
)

// Definition describes the provider.
func Definition(version string) *provider.Definition {
	a := &api{}
	return &provider.Definition{
		Name: "hcloud", Version: version, IDProperty: true,
		Config: map[string]provider.Field{
			"token": {Kind: provider.String, Secret: true}, "endpoint": str, "endpointHetzner": str, "pollInterval": str, "pollFunction": str,
		},
		Configure: func(c *provider.Call) error { return a.configure(c, version) },
		Resources: map[string]*provider.Resource{
			"hcloud:index/sshKey:SshKey":                           sshKey().resource(a),
			"hcloud:index/placementGroup:PlacementGroup":           placementGroup().resource(a),
			"hcloud:index/network:Network":                         network().resource(a),
			"hcloud:index/networkSubnet:NetworkSubnet":             networkSubnet(a),
			"hcloud:index/networkRoute:NetworkRoute":               networkRoute(a),
			"hcloud:index/server:Server":                           server().resource(a),
			"hcloud:index/snapshot:Snapshot":                       snapshot().resource(a),
			"hcloud:index/serverNetwork:ServerNetwork":             serverNetwork(a),
			"hcloud:index/firewall:Firewall":                       firewall().resource(a),
			"hcloud:index/firewallAttachment:FirewallAttachment":   firewallAttachment(a),
			"hcloud:index/volume:Volume":                           volume().resource(a),
			"hcloud:index/volumeAttachment:VolumeAttachment":       volumeAttachment(a),
			"hcloud:index/primaryIp:PrimaryIp":                     primaryIP().resource(a),
			"hcloud:index/loadBalancer:LoadBalancer":               loadBalancer().resource(a),
			"hcloud:index/loadBalancerNetwork:LoadBalancerNetwork": loadBalancerNetwork(a),
			"hcloud:index/loadBalancerService:LoadBalancerService": loadBalancerService(a),
			"hcloud:index/loadBalancerTarget:LoadBalancerTarget":   loadBalancerTarget(a),
		},
	}
}

// configure makes the client. Without a token a preview still works; the first request says that it is missing.
func (a *api) configure(c *provider.Call, version string) error {
	var in struct{ Token, Endpoint, PollInterval, PollFunction string }
	if err := c.Decode(&in); err != nil {
		return err
	}
	if in.Token == "" {
		in.Token = os.Getenv("HCLOUD_TOKEN")
	}
	if in.Endpoint == "" {
		in.Endpoint = os.Getenv("HCLOUD_ENDPOINT")
	}
	if in.Token == "" {
		return nil
	}
	every := 500 * time.Millisecond
	if in.PollInterval != "" {
		d, err := time.ParseDuration(in.PollInterval)
		if err != nil {
			return err
		}
		every = d
	}
	poll := hcloud.BackoffFunc(hcloud.ConstantBackoff(every))
	if in.PollFunction == "exponential" {
		poll = hcloud.ExponentialBackoffWithOpts(hcloud.ExponentialBackoffOpts{Base: every, Multiplier: 2, Cap: 5 * time.Second})
	}
	opts := []hcloud.ClientOption{hcloud.WithToken(in.Token), hcloud.WithApplication("groundwork-standin", version), hcloud.WithPollOpts(hcloud.PollOpts{BackoffFunc: poll})}
	if in.Endpoint != "" {
		opts = append(opts, hcloud.WithEndpoint(in.Endpoint))
	}
	a.client = hcloud.NewClient(opts...)
	return nil
}

func sshKey() kind {
	return kind{
		path: "ssh_keys", key: "ssh_key",
		inputs:  map[string]provider.Field{"name": str, "labels": labels, "publicKey": replaces(required(str))},
		outputs: map[string]provider.Field{"fingerprint": str},
		body: func(_ *api, _ *provider.Call, in object) (object, error) {
			return object{"public_key": in["publicKey"]}, nil
		},
		view: func(o object) object { return object{"publicKey": o["public_key"], "fingerprint": o["fingerprint"]} },
	}
}

func placementGroup() kind {
	return kind{
		path: "placement_groups", key: "placement_group", mustBeThere: true,
		inputs:  map[string]provider.Field{"name": str, "labels": labels, "type": replaces(required(str))},
		outputs: map[string]provider.Field{"servers": ids},
		body:    func(_ *api, _ *provider.Call, in object) (object, error) { return object{"type": in["type"]}, nil },
		view:    func(o object) object { return object{"type": o["type"], "servers": list(o["servers"])} },
	}
}
