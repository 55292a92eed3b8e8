package hcloud

import (
	"groundwork.dev/standins/engine/internal/provider"
)

func firewall() kind {
	rule := provider.Field{Kind: provider.Object, Fields: map[string]provider.Field{
		"direction": required(str), "protocol": required(str), "port": str, "description": str, "sourceIps": strs, "destinationIps": strs,
	}}
	apply := provider.Field{Kind: provider.Object, Fields: map[string]provider.Field{"server": integer, "labelSelector": str}}
	return kind{
		path: "firewalls", key: "firewall",
		// The official provider breaks off.
		mustBeThere: true,
		inputs: map[string]provider.Field{
			"name": str, "labels": labels, "rules": {Kind: provider.List, Elem: &rule}, "applyTos": computed(provider.Field{Kind: provider.List, Elem: &apply}),
		},
		body: func(_ *api, _ *provider.Call, in object) (object, error) {
			return object{"rules": rulesOf(in), "apply_to": targetsOf(in)}, nil
		},
		view: func(o object) object {
			rules := []any{}
			for _, v := range list(o["rules"]) {
				r, _ := v.(object)
				out := object{"direction": r["direction"], "protocol": r["protocol"], "sourceIps": list(r["source_ips"]), "destinationIps": list(r["destination_ips"])}
				for _, k := range []string{"port", "description"} {
					if text(r[k]) != "" {
						out[k] = r[k]
					}
				}
				rules = append(rules, out)
			}
			return object{"rules": rules, "applyTos": appliedTo(o)}
		},
		change: map[string]func(*api, *provider.Call, string, object, object) error{
			"rules": func(a *api, c *provider.Call, id string, _, in object) error {
				return a.act(c, "firewalls", id, "set_rules", object{"rules": rulesOf(in)})
			},
			"applyTos": func(a *api, c *provider.Call, id string, old, in object) error {
				return applyFirewall(a, c, id, targetsOf(old), targetsOf(in))
			},
		},
		// A firewall that is in use can't be deleted.
		before: func(a *api, c *provider.Call, id string, o object) error {
			used := targetsOf(object{"applyTos": appliedTo(o)})
			if len(used) == 0 {
				return nil
			}
			return a.act(c, "firewalls", id, "remove_from_resources", object{"remove_from": used})
		},
	}
}

func rulesOf(in object) []any {
	out := []any{}
	for _, v := range list(in["rules"]) {
		r, _ := v.(object)
		out = append(out, pick(r, map[string]string{
			"direction": "direction", "protocol": "protocol", "port": "port", "description": "description", "sourceIps": "source_ips", "destinationIps": "destination_ips",
		}))
	}
	return out
}

func target(server any, selector string) object {
	if selector != "" {
		return object{"type": "label_selector", "label_selector": object{"selector": selector}}
	}
	return object{"type": "server", "server": object{"id": num(server)}}
}

func targetsOf(in object) []any {
	out := []any{}
	for _, v := range list(in["applyTos"]) {
		t, _ := v.(object)
		out = append(out, target(t["server"], text(t["labelSelector"])))
	}
	return out
}

func appliedTo(o object) []any {
	out := []any{}
	for _, v := range list(o["applied_to"]) {
		t, _ := v.(object)
		if s := sub(t, "label_selector"); s != nil {
			out = append(out, object{"labelSelector": s["selector"]})
		} else if s := sub(t, "server"); s != nil {
			out = append(out, object{"server": s["id"]})
		}
	}
	return out
}

func targetKey(v any) string {
	t, _ := v.(object)
	return text(sub(t, "server")["id"]) + "/" + text(sub(t, "label_selector")["selector"])
}

// applyFirewall brings the resources of a firewall from one list to another.
func applyFirewall(a *api, c *provider.Call, id string, old, news []any) error {
	less := func(x, y []any) []any {
		have := map[string]bool{}
		for _, v := range y {
			have[targetKey(v)] = true
		}
		var out []any
		for _, v := range x {
			if !have[targetKey(v)] {
				out = append(out, v)
			}
		}
		return out
	}
	if add := less(news, old); len(add) > 0 {
		if err := a.act(c, "firewalls", id, "apply_to_resources", object{"apply_to": add}); err != nil {
			return err
		}
	}
	if remove := less(old, news); len(remove) > 0 {
		return a.act(c, "firewalls", id, "remove_from_resources", object{"remove_from": remove})
	}
	return nil
}

func firewallAttachment(a *api) *provider.Resource {
	targets := func(in object) []any {
		out := []any{}
		for _, v := range list(in["serverIds"]) {
			out = append(out, target(v, ""))
		}
		for _, v := range list(in["labelSelectors"]) {
			out = append(out, target(nil, text(v)))
		}
		return out
	}
	return part{
		inputs:   map[string]provider.Field{"firewallId": replaces(required(integer)), "serverIds": ids, "labelSelectors": strs},
		owner:    func(in object) (string, string, string) { return "firewalls", "firewall", text(in["firewallId"]) },
		id:       func(in object) string { return text(in["firewallId"]) },
		inputsOf: func(id string) (object, error) { return object{"firewallId": num(id)}, nil },
		find: func(o, in object) object {
			servers, selectors := []any{}, []any{}
			for _, v := range appliedTo(o) {
				t, _ := v.(object)
				if s := t["labelSelector"]; s != nil {
					selectors = append(selectors, s)
				} else {
					servers = append(servers, t["server"])
				}
			}
			if len(servers)+len(selectors) == 0 {
				return nil
			}
			out := object{"firewallId": o["id"]}
			if len(servers) > 0 {
				out["serverIds"] = servers
			}
			if len(selectors) > 0 {
				out["labelSelectors"] = selectors
			}
			return out
		},
		mustBeThere: true,
		add:         func(in object) (string, object) { return "apply_to_resources", object{"apply_to": targets(in)} },
		remove:      func(in object) (string, object) { return "remove_from_resources", object{"remove_from": targets(in)} },
		update: func(a *api, c *provider.Call, old, in object) error {
			return applyFirewall(a, c, text(in["firewallId"]), targets(old), targets(in))
		},
	}.resource(a)
}
