package hcloud

import (
	"fmt"
	"hash/fnv"

	"groundwork.dev/standins/engine/internal/provider"
)

// targetName is what names a target, without its options.
func targetName(in object) object {
	body := object{"type": in["type"]}
	switch in["type"] {
	case "server":
		body["server"] = object{"id": in["serverId"]}
	case "label_selector":
		body["label_selector"] = object{"selector": in["labelSelector"]}
	case "ip":
		body["ip"] = object{"ip": in["ip"]}
	}
	return body
}

func targetBody(in object) object {
	body := targetName(in)
	if in["type"] != "ip" {
		body["use_private_ip"] = in["usePrivateIp"] == true
	}
	return body
}

func loadBalancerTarget(a *api) *provider.Resource {
	return part{
		inputs: map[string]provider.Field{
			"loadBalancerId": replaces(required(integer)), "type": replaces(required(provider.Field{Kind: provider.String, OneOf: []string{"server", "label_selector", "ip"}})),
			"serverId": replaces(integer), "labelSelector": replaces(str), "ip": replaces(str), "usePrivateIp": replaces(computed(boolean)),
		},
		owner: balancerOf,
		id: func(in object) string {
			lb := text(in["loadBalancerId"])
			switch in["type"] {
			case "server":
				return "lb-srv-tgt-" + lb + "-" + text(in["serverId"])
			case "ip":
				return "lb-ip-tgt-" + lb + "-" + text(in["ip"])
			}
			h := fnv.New32a()
			_, _ = h.Write([]byte(text(in["labelSelector"])))
			return fmt.Sprintf("lb-label-selector-tgt-%s-%x", lb, h.Sum32())
		},
		find: func(o, in object) object {
			for _, v := range list(o["targets"]) {
				t, _ := v.(object)
				seen := object{"loadBalancerId": o["id"], "type": t["type"], "usePrivateIp": t["use_private_ip"] == true}
				if s := sub(t, "server"); s != nil {
					seen["serverId"] = s["id"]
				}
				if s := sub(t, "label_selector"); s != nil {
					seen["labelSelector"] = s["selector"]
				}
				if s := sub(t, "ip"); s != nil {
					seen["ip"] = s["ip"]
				}
				if t["type"] == in["type"] && text(seen["serverId"]) == text(in["serverId"]) && text(seen["labelSelector"]) == text(in["labelSelector"]) && text(seen["ip"]) == text(in["ip"]) {
					return seen
				}
			}
			return nil
		},
		add:    func(in object) (string, object) { return "add_target", targetBody(in) },
		remove: func(in object) (string, object) { return "remove_target", targetName(in) },
	}.resource(a)
}
