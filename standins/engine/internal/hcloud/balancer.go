package hcloud

import (
	"errors"
	"fmt"
	"strings"

	"groundwork.dev/standins/engine/internal/provider"
)

const balancers = "load_balancers"

func balancerOf(in object) (string, string, string) {
	return balancers, "load_balancer", text(in["loadBalancerId"])
}

func loadBalancer() kind {
	algorithm := provider.Field{Kind: provider.Object, Fields: map[string]provider.Field{"type": str}}
	return kind{
		path: balancers, key: "load_balancer",
		inputs: map[string]provider.Field{
			"name": str, "labels": labels, "loadBalancerType": required(str), "algorithm": computed(algorithm), "location": replaces(computed(str)),
			"networkZone": replaces(computed(str)), "targets": {Kind: provider.List}, "deleteProtection": boolean,
		},
		outputs: map[string]provider.Field{"ipv4": str, "ipv6": str, "networkId": integer, "networkIp": str},
		unseen:  []string{"targets"},
		body: func(_ *api, _ *provider.Call, in object) (object, error) {
			body := pick(in, map[string]string{"loadBalancerType": "load_balancer_type", "algorithm": "algorithm", "location": "location", "networkZone": "network_zone"})
			var targets []any
			for _, v := range list(in["targets"]) {
				t, _ := v.(object)
				targets = append(targets, targetBody(t))
			}
			if targets != nil {
				body["targets"] = targets
			}
			return body, nil
		},
		view: func(o object) object {
			public := sub(o, "public_net")
			out := object{
				"loadBalancerType": sub(o, "load_balancer_type")["name"], "algorithm": sub(o, "algorithm"), "location": sub(o, "location")["name"],
				"networkZone": sub(o, "location")["network_zone"], "ipv4": sub(public, "ipv4")["ip"], "ipv6": sub(public, "ipv6")["ip"],
			}
			for _, v := range list(o["private_net"]) {
				n, _ := v.(object)
				out["networkId"], out["networkIp"] = n["network"], n["ip"]
			}
			return out
		},
		change: map[string]func(*api, *provider.Call, string, object, object) error{
			"deleteProtection": protection(balancers),
			"loadBalancerType": func(a *api, c *provider.Call, id string, _, in object) error {
				return a.act(c, balancers, id, "change_type", object{"load_balancer_type": in["loadBalancerType"]})
			},
			"algorithm": func(a *api, c *provider.Call, id string, _, in object) error {
				return a.act(c, balancers, id, "change_algorithm", sub(in, "algorithm"))
			},
			"targets": func(*api, *provider.Call, string, object, object) error {
				return errors.New("targets of a LoadBalancer that exists are changed by LoadBalancerTarget resources")
			},
		},
	}
}

func loadBalancerNetwork(a *api) *provider.Resource {
	return part{
		inputs: map[string]provider.Field{
			"loadBalancerId": replaces(required(integer)), "networkId": replaces(computed(integer)), "subnetId": replaces(str), "ip": replaces(computed(str)),
			"enablePublicInterface": defaulted(boolean, true),
		},
		owner: balancerOf,
		id:    func(in object) string { return text(in["loadBalancerId"]) + "-" + text(networkIDOf(in)) },
		inputsOf: func(id string) (object, error) {
			lb, net, err := splitID(id)
			return object{"loadBalancerId": num(lb), "networkId": num(net)}, err
		},
		find: func(o, in object) object {
			for _, v := range list(o["private_net"]) {
				n, _ := v.(object)
				if num(n["network"]) == networkIDOf(in) {
					return object{"loadBalancerId": o["id"], "networkId": n["network"], "ip": n["ip"], "enablePublicInterface": sub(o, "public_net")["enabled"] == true}
				}
			}
			return nil
		},
		add: func(in object) (string, object) {
			body := pick(in, map[string]string{"ip": "ip"})
			body["network"] = networkIDOf(in)
			if _, ipRange, ok := strings.Cut(text(in["subnetId"]), "-"); ok {
				body["ip_range"] = ipRange
			}
			return "attach_to_network", body
		},
		remove: func(in object) (string, object) { return "detach_from_network", object{"network": networkIDOf(in)} },
		after: func(a *api, c *provider.Call, in object) error {
			if in["enablePublicInterface"] == false {
				return a.act(c, balancers, text(in["loadBalancerId"]), "disable_public_interface", nil)
			}
			return nil
		},
		update: func(a *api, c *provider.Call, _, in object) error {
			action := "enable_public_interface"
			if in["enablePublicInterface"] == false {
				action = "disable_public_interface"
			}
			return a.act(c, balancers, text(in["loadBalancerId"]), action, nil)
		},
	}.resource(a)
}

var (
	httpNames = map[string]string{
		"certificates": "certificates", "cookieLifetime": "cookie_lifetime", "cookieName": "cookie_name", "redirectHttp": "redirect_http",
		"stickySessions": "sticky_sessions", "timeoutIdle": "timeout_idle",
	}
	checkNames     = map[string]string{"protocol": "protocol", "port": "port", "interval": "interval", "timeout": "timeout", "retries": "retries"}
	checkHTTPNames = map[string]string{"domain": "domain", "path": "path", "response": "response", "statusCodes": "status_codes", "tls": "tls"}
)

// listenPort is the port of a service, which http and https need not name.
func listenPort(in object) float64 {
	if p := num(in["listenPort"]); p != 0 {
		return p
	}
	return map[any]float64{"http": 80, "https": 443}[in["protocol"]]
}

func serviceBody(in object) object {
	body := pick(in, map[string]string{"protocol": "protocol", "destinationPort": "destination_port", "proxyprotocol": "proxyprotocol"})
	body["listen_port"] = listenPort(in)
	if _, has := body["destination_port"]; !has {
		body["destination_port"] = map[bool]float64{true: listenPort(in), false: 80}[in["protocol"] == "tcp"]
	}
	if _, has := body["proxyprotocol"]; !has {
		body["proxyprotocol"] = false
	}
	if h := sub(in, "http"); h != nil {
		body["http"] = pick(h, httpNames)
	}
	if h := sub(in, "healthCheck"); h != nil {
		check := pick(h, checkNames)
		if web := sub(h, "http"); web != nil {
			check["http"] = pick(web, checkHTTPNames)
		}
		body["health_check"] = check
	}
	return body
}

func reversed(m map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		out[v] = k
	}
	return out
}

func loadBalancerService(a *api) *provider.Resource {
	options := provider.Field{Kind: provider.Object, Computed: true}
	return part{
		inputs: map[string]provider.Field{
			"loadBalancerId": replaces(required(provider.Field{})), "protocol": required(provider.Field{Kind: provider.String, OneOf: []string{"http", "https", "tcp"}}),
			"listenPort": replaces(computed(integer)), "destinationPort": computed(integer), "proxyprotocol": computed(boolean), "http": options, "healthCheck": options,
		},
		owner: balancerOf,
		id:    func(in object) string { return text(in["loadBalancerId"]) + "__" + text(listenPort(in)) },
		inputsOf: func(id string) (object, error) {
			lb, port, ok := strings.Cut(id, "__")
			if !ok {
				return nil, fmt.Errorf("the id of a LoadBalancerService is <load balancer>__<listen port>, got %q", id)
			}
			return object{"loadBalancerId": lb, "listenPort": num(port)}, nil
		},
		find: func(o, in object) object {
			for _, v := range list(o["services"]) {
				s, _ := v.(object)
				if num(s["listen_port"]) != listenPort(in) {
					continue
				}
				out := pick(s, map[string]string{"protocol": "protocol", "listen_port": "listenPort", "destination_port": "destinationPort", "proxyprotocol": "proxyprotocol"})
				out["loadBalancerId"] = text(o["id"])
				if h := sub(s, "http"); h != nil {
					out["http"] = pick(h, reversed(httpNames))
				}
				if h := sub(s, "health_check"); h != nil {
					check := pick(h, reversed(checkNames))
					if web := sub(h, "http"); web != nil {
						check["http"] = pick(web, reversed(checkHTTPNames))
					}
					out["healthCheck"] = check
				}
				return out
			}
			return nil
		},
		add:    func(in object) (string, object) { return "add_service", serviceBody(in) },
		remove: func(in object) (string, object) { return "delete_service", object{"listen_port": listenPort(in)} },
		update: func(a *api, c *provider.Call, _, in object) error {
			return a.act(c, balancers, text(in["loadBalancerId"]), "update_service", serviceBody(in))
		},
	}.resource(a)
}
