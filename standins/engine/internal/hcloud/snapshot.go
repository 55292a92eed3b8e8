package hcloud

import (
	"errors"

	"groundwork.dev/standins/engine/internal/provider"
)

// snapshot is an image that an action on a server makes; from then on it is an object like others.
func snapshot() kind {
	return kind{
		path: "images", key: "image",
		inputs: map[string]provider.Field{"serverId": replaces(required(integer)), "description": str, "labels": labels},
		make: func(a *api, c *provider.Call, in object) (object, error) {
			body := pick(in, map[string]string{"description": "description", "labels": "labels"})
			body["type"] = "snapshot"
			return a.do(c, "POST", "servers/"+text(in["serverId"])+"/actions/create_image", body)
		},
		view: func(o object) object {
			return object{"serverId": sub(o, "created_from")["id"], "description": o["description"]}
		},
		put: map[string]string{"description": "description"},
	}
}

// changePublic gives a server that exists other public addresses, or takes them away; the API wants it off for that.
func changePublic(a *api, c *provider.Call, id string, old, in object) error {
	o, err := a.get(c, "servers", id, "server")
	if err != nil {
		return err
	}
	first := func(of object) object {
		if all := list(of["publicNets"]); len(all) > 0 {
			one, _ := all[0].(object)
			return one
		}
		return object{}
	}
	was, wanted := first(old), first(in)
	running := o["status"] != "off"
	if running {
		if err := a.act(c, "servers", id, "poweroff", nil); err != nil {
			return err
		}
	}
	for _, family := range []string{"ipv4", "ipv6"} {
		if err = errors.Join(err, changeAddress(a, c, id, family, sub(sub(o, "public_net"), family), was, wanted)); err != nil {
			break
		}
	}
	if running {
		err = errors.Join(err, a.act(c, "servers", id, "poweron", nil))
	}
	return err
}

func changeAddress(a *api, c *provider.Call, server, family string, current, was, wanted object) error {
	has, wants := num(current["id"]), num(wanted[family])
	on := wanted[family+"Enabled"] != false
	if has != 0 && (!on || (wants != 0 && wants != has)) {
		if err := a.act(c, "primary_ips", text(has), "unassign", nil); err != nil {
			return err
		}
		// Nobody asked for this address by its id: it came with the server, and goes.
		if num(was[family]) == 0 {
			if _, err := a.do(c, "DELETE", "primary_ips/"+text(has), nil); err != nil && !gone(err) {
				return err
			}
		}
		has = 0
	}
	switch {
	case !on || has != 0:
		return nil
	case wants != 0:
		return a.act(c, "primary_ips", text(wants), "assign", object{"assignee_id": num(server), "assignee_type": "server"})
	}
	_, err := a.do(c, "POST", "primary_ips", object{
		"name": "server-" + server + "-" + family, "type": family, "assignee_type": "server", "assignee_id": num(server), "auto_delete": true,
	})
	return err
}
