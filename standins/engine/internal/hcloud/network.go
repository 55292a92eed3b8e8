package hcloud

import (
	"fmt"
	"strings"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"groundwork.dev/standins/engine/internal/provider"
)

func network() kind {
	return kind{
		path: "networks", key: "network",
		inputs: map[string]provider.Field{
			"name": str, "labels": labels, "ipRange": required(str), "deleteProtection": boolean, "exposeRoutesToVswitch": boolean,
		},
		body: func(_ *api, _ *provider.Call, in object) (object, error) {
			return pick(in, map[string]string{"ipRange": "ip_range", "exposeRoutesToVswitch": "expose_routes_to_vswitch"}), nil
		},
		view: func(o object) object {
			return object{"ipRange": o["ip_range"], "exposeRoutesToVswitch": o["expose_routes_to_vswitch"] == true}
		},
		put: map[string]string{"exposeRoutesToVswitch": "expose_routes_to_vswitch"},
		change: map[string]func(*api, *provider.Call, string, object, object) error{
			"deleteProtection": protection("networks"),
			"ipRange": func(a *api, c *provider.Call, id string, _, in object) error {
				return a.act(c, "networks", id, "change_ip_range", object{"ip_range": in["ipRange"]})
			},
		},
	}
}

func networkOf(in object) (string, string, string) {
	return "networks", "network", text(in["networkId"])
}

// splitID takes an id apart at its first dash.
func splitID(id string) (string, string, error) {
	a, b, ok := strings.Cut(id, "-")
	if !ok {
		return "", "", fmt.Errorf("the id %q does not consist of two parts with a dash between them", id)
	}
	return a, b, nil
}

func networkSubnet(a *api) *provider.Resource {
	return part{
		inputs: map[string]provider.Field{
			"networkId": replaces(required(integer)), "type": replaces(required(str)), "ipRange": replaces(required(str)),
			"networkZone": replaces(required(str)), "vswitchId": replaces(integer),
		},
		outputs: map[string]provider.Field{"gateway": str},
		owner:   networkOf,
		id:      func(in object) string { return text(in["networkId"]) + "-" + text(in["ipRange"]) },
		inputsOf: func(id string) (object, error) {
			net, ipRange, err := splitID(id)
			return object{"networkId": num(net), "ipRange": ipRange}, err
		},
		find: func(o, in object) object {
			for _, v := range list(o["subnets"]) {
				s, _ := v.(object)
				if s["ip_range"] == in["ipRange"] {
					out := object{"networkId": o["id"], "type": s["type"], "ipRange": s["ip_range"], "networkZone": s["network_zone"], "gateway": s["gateway"]}
					if v, has := s["vswitch_id"]; has && v != nil && num(v) != 0 {
						out["vswitchId"] = v
					}
					return out
				}
			}
			return nil
		},
		add: func(in object) (string, object) {
			return "add_subnet", pick(in, map[string]string{"type": "type", "ipRange": "ip_range", "networkZone": "network_zone", "vswitchId": "vswitch_id"})
		},
		remove: func(in object) (string, object) { return "delete_subnet", object{"ip_range": in["ipRange"]} },
		// The official provider breaks off.
		mustBeThere: true,
	}.resource(a)
}

func networkRoute(a *api) *provider.Resource {
	return part{
		inputs: map[string]provider.Field{
			"networkId": replaces(required(integer)), "destination": replaces(required(str)), "gateway": replaces(required(str)),
		},
		owner: networkOf,
		id:    func(in object) string { return text(in["networkId"]) + "-" + text(in["destination"]) },
		inputsOf: func(id string) (object, error) {
			net, destination, err := splitID(id)
			return object{"networkId": num(net), "destination": destination}, err
		},
		find: func(o, in object) object {
			for _, v := range list(o["routes"]) {
				r, _ := v.(object)
				if r["destination"] == in["destination"] && (in["gateway"] == nil || r["gateway"] == in["gateway"]) {
					return object{"networkId": o["id"], "destination": r["destination"], "gateway": r["gateway"]}
				}
			}
			return nil
		},
		add: func(in object) (string, object) {
			return "add_route", pick(in, map[string]string{"destination": "destination", "gateway": "gateway"})
		},
		remove: func(in object) (string, object) {
			return "delete_route", pick(in, map[string]string{"destination": "destination", "gateway": "gateway"})
		},
	}.resource(a)
}

// networkIDOf is the network that an attachment names, itself or by one of its subnets.
func networkIDOf(in object) float64 {
	if id := num(in["networkId"]); id != 0 {
		return id
	}
	net, _, _ := strings.Cut(text(in["subnetId"]), "-")
	return num(net)
}

func serverNetwork(a *api) *provider.Resource {
	return part{
		inputs: map[string]provider.Field{
			"serverId": replaces(required(integer)), "networkId": replaces(computed(integer)), "subnetId": replaces(str),
			"ip": replaces(computed(str)), "aliasIps": strs,
		},
		outputs: map[string]provider.Field{"macAddress": str},
		owner:   func(in object) (string, string, string) { return "servers", "server", text(in["serverId"]) },
		id:      func(in object) string { return text(in["serverId"]) + "-" + text(networkIDOf(in)) },
		inputsOf: func(id string) (object, error) {
			server, net, err := splitID(id)
			return object{"serverId": num(server), "networkId": num(net)}, err
		},
		find: func(o, in object) object {
			for _, v := range list(o["private_net"]) {
				n, _ := v.(object)
				if num(n["network"]) == networkIDOf(in) {
					return object{"serverId": o["id"], "networkId": n["network"], "ip": n["ip"], "aliasIps": list(n["alias_ips"]), "macAddress": n["mac_address"]}
				}
			}
			return nil
		},
		add: func(in object) (string, object) {
			body := pick(in, map[string]string{"ip": "ip", "aliasIps": "alias_ips"})
			body["network"] = networkIDOf(in)
			if _, ipRange, ok := strings.Cut(text(in["subnetId"]), "-"); ok {
				body["ip_range"] = ipRange
			}
			return "attach_to_network", body
		},
		remove: func(in object) (string, object) { return "detach_from_network", object{"network": networkIDOf(in)} },
		update: func(a *api, c *provider.Call, _, in object) error {
			return a.act(c, "servers", text(in["serverId"]), "change_alias_ips", object{"network": networkIDOf(in), "alias_ips": list(in["aliasIps"])})
		},
		removed: func(err error) bool { return hcloud.IsError(err, hcloud.ErrorCodeServerNotAttachedToNetwork) },
	}.resource(a)
}
