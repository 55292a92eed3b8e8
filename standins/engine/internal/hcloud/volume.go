package hcloud

import (
	"groundwork.dev/standins/engine/internal/provider"
)

func volume() kind {
	return kind{
		path: "volumes", key: "volume",
		inputs: map[string]provider.Field{
			"name": str, "labels": labels, "size": required(integer), "location": replaces(computed(str)), "serverId": computed(integer),
			"format": replaces(str), "automount": boolean, "deleteProtection": boolean,
		},
		outputs: map[string]provider.Field{"linuxDevice": str},
		unseen:  []string{"automount", "format"},
		body: func(_ *api, _ *provider.Call, in object) (object, error) {
			return pick(in, map[string]string{"size": "size", "location": "location", "serverId": "server", "format": "format", "automount": "automount"}), nil
		},
		view: func(o object) object {
			out := object{"size": o["size"], "location": sub(o, "location")["name"], "linuxDevice": o["linux_device"]}
			if num(o["server"]) != 0 {
				out["serverId"] = o["server"]
			}
			return out
		},
		change: map[string]func(*api, *provider.Call, string, object, object) error{
			"deleteProtection": protection("volumes"),
			"automount":        func(*api, *provider.Call, string, object, object) error { return nil },
			"size": func(a *api, c *provider.Call, id string, _, in object) error {
				return a.act(c, "volumes", id, "resize", object{"size": in["size"]})
			},
			"serverId": func(a *api, c *provider.Call, id string, old, in object) error {
				if num(old["serverId"]) != 0 {
					if err := a.act(c, "volumes", id, "detach", nil); err != nil {
						return err
					}
				}
				if num(in["serverId"]) == 0 {
					return nil
				}
				return a.act(c, "volumes", id, "attach", pick(in, map[string]string{"serverId": "server", "automount": "automount"}))
			},
		},
		before: func(a *api, c *provider.Call, id string, o object) error {
			if num(o["server"]) == 0 {
				return nil
			}
			return a.act(c, "volumes", id, "detach", nil)
		},
	}
}

func volumeAttachment(a *api) *provider.Resource {
	return part{
		inputs: map[string]provider.Field{
			"volumeId": replaces(required(integer)), "serverId": replaces(required(integer)), "automount": replaces(boolean),
		},
		owner:    func(in object) (string, string, string) { return "volumes", "volume", text(in["volumeId"]) },
		id:       func(in object) string { return text(in["volumeId"]) },
		inputsOf: func(id string) (object, error) { return object{"volumeId": num(id)}, nil },
		find: func(o, in object) object {
			if num(o["server"]) == 0 || (num(in["serverId"]) != 0 && num(in["serverId"]) != num(o["server"])) {
				return nil
			}
			return object{"volumeId": o["id"], "serverId": o["server"]}
		},
		add: func(in object) (string, object) {
			return "attach", pick(in, map[string]string{"serverId": "server", "automount": "automount"})
		},
		remove: func(object) (string, object) { return "detach", nil },
	}.resource(a)
}

func primaryIP() kind {
	return kind{
		path: "primary_ips", key: "primary_ip",
		inputs: map[string]provider.Field{
			"name": str, "labels": labels, "type": replaces(required(str)), "assigneeType": defaulted(str, "server"), "assigneeId": computed(integer),
			"location": replaces(computed(str)), "datacenter": replaces(computed(str)), "autoDelete": computed(boolean), "deleteProtection": boolean,
		},
		outputs: map[string]provider.Field{"ipAddress": str, "ipNetwork": str},
		body: func(_ *api, _ *provider.Call, in object) (object, error) {
			return pick(in, map[string]string{
				"type": "type", "assigneeType": "assignee_type", "assigneeId": "assignee_id", "location": "location", "datacenter": "datacenter", "autoDelete": "auto_delete",
			}), nil
		},
		view: func(o object) object {
			out := object{"type": o["type"], "assigneeType": o["assignee_type"], "autoDelete": o["auto_delete"] == true, "ipAddress": o["ip"], "location": sub(o, "location")["name"]}
			if num(o["assignee_id"]) != 0 {
				out["assigneeId"] = o["assignee_id"]
			}
			if dc := sub(o, "datacenter"); dc != nil {
				out["datacenter"] = dc["name"]
			}
			if o["type"] == "ipv6" {
				out["ipNetwork"], out["ipAddress"] = o["ip"], firstAddress(text(o["ip"]))
			}
			return out
		},
		put: map[string]string{"autoDelete": "auto_delete"},
		change: map[string]func(*api, *provider.Call, string, object, object) error{
			"deleteProtection": protection("primary_ips"),
			"assigneeId": func(a *api, c *provider.Call, id string, old, in object) error {
				if num(old["assigneeId"]) != 0 {
					if err := a.act(c, "primary_ips", id, "unassign", nil); err != nil {
						return err
					}
				}
				if num(in["assigneeId"]) == 0 {
					return nil
				}
				return a.act(c, "primary_ips", id, "assign", object{"assignee_id": in["assigneeId"], "assignee_type": in["assigneeType"]})
			},
		},
		before: func(a *api, c *provider.Call, id string, o object) error {
			if num(o["assignee_id"]) == 0 {
				return nil
			}
			return a.act(c, "primary_ips", id, "unassign", nil)
		},
	}
}
