package hcloud

import (
	"errors"

	"groundwork.dev/standins/engine/internal/provider"
)

func server() kind {
	net := provider.Field{Kind: provider.List, Elem: &provider.Field{Kind: provider.Object, Fields: map[string]provider.Field{
		"networkId": integer, "subnetId": str, "ip": str, "aliasIps": strs, "macAddress": str,
	}}}
	public := provider.Field{Kind: provider.List, Elem: &provider.Field{Kind: provider.Object, Fields: map[string]provider.Field{
		"ipv4Enabled": defaulted(boolean, true), "ipv6Enabled": defaulted(boolean, true), "ipv4": integer, "ipv6": integer,
	}}}
	type change = func(*api, *provider.Call, string, object, object) error
	on := func(yes, no string, property string) change {
		return func(a *api, c *provider.Call, id string, _, in object) error {
			action := no
			if in[property] == true {
				action = yes
			}
			return a.act(c, "servers", id, action, nil)
		}
	}
	protect := func(a *api, c *provider.Call, id string, _, in object) error {
		return a.act(c, "servers", id, "change_protection", object{"delete": in["deleteProtection"] == true, "rebuild": in["rebuildProtection"] == true})
	}
	nothing := func(*api, *provider.Call, string, object, object) error { return nil }
	return kind{
		path: "servers", key: "server", mustBeThere: true,
		inputs: map[string]provider.Field{
			"name": str, "labels": labels, "serverType": required(str), "image": replaces(str), "location": replaces(computed(str)),
			"datacenter": replaces(computed(str)), "sshKeys": replaces(strs), "userData": replaces(str), "backups": boolean, "keepDisk": boolean, "iso": str,
			"rescue": str, "networks": net, "publicNets": public, "firewallIds": computed(ids), "placementGroupId": integer,
			"deleteProtection": boolean, "rebuildProtection": boolean, "shutdownBeforeDeletion": boolean,
			"allowDeprecatedImages": boolean, "ignoreRemoteFirewallIds": boolean,
		},
		outputs: map[string]provider.Field{
			"backupWindow": str, "ipv4Address": str, "ipv6Address": str, "ipv6Network": str, "primaryDiskSize": integer, "status": str,
		},
		unseen: []string{"userData", "sshKeys", "keepDisk", "rescue", "shutdownBeforeDeletion", "allowDeprecatedImages", "ignoreRemoteFirewallIds", "publicNets", "networks", "iso"},
		body:   serverBody, made: serverMade, view: serverView,
		change: map[string]change{
			"deleteProtection": protect,
			"rebuildProtection": func(a *api, c *provider.Call, id string, old, in object) error {
				if (old["deleteProtection"] == true) != (in["deleteProtection"] == true) {
					return nil // one action changes both
				}
				return protect(a, c, id, old, in)
			},
			"backups":  on("enable_backup", "disable_backup", "backups"),
			"keepDisk": nothing, "shutdownBeforeDeletion": nothing, "allowDeprecatedImages": nothing, "ignoreRemoteFirewallIds": nothing,
			"iso": func(a *api, c *provider.Call, id string, _, in object) error {
				if iso := text(in["iso"]); iso != "" {
					return a.act(c, "servers", id, "attach_iso", object{"iso": iso})
				}
				return a.act(c, "servers", id, "detach_iso", nil)
			},
			"rescue": func(a *api, c *provider.Call, id string, _, in object) error {
				if kind := text(in["rescue"]); kind != "" {
					return errors.Join(a.act(c, "servers", id, "enable_rescue", object{"type": kind}), a.act(c, "servers", id, "reset", nil))
				}
				return a.act(c, "servers", id, "disable_rescue", nil)
			},
			"serverType": func(a *api, c *provider.Call, id string, _, in object) error {
				// The cloud starts it again by itself.
				return stopped(a, c, id, "change_type", object{"server_type": in["serverType"], "upgrade_disk": in["keepDisk"] != true}, false)
			},
			"placementGroupId": func(a *api, c *provider.Call, id string, old, in object) error {
				if num(old["placementGroupId"]) != 0 {
					if err := a.act(c, "servers", id, "remove_from_placement_group", nil); err != nil {
						return err
					}
				}
				if num(in["placementGroupId"]) == 0 {
					return nil
				}
				return stopped(a, c, id, "add_to_placement_group", object{"placement_group": in["placementGroupId"]}, true)
			},
			"firewallIds": changeFirewalls,
			"networks":    changeNetworks,
			"publicNets":  changePublic,
		},
		before: func(a *api, c *provider.Call, id string, o object) error {
			if c.State["shutdownBeforeDeletion"].IsBool() && c.State["shutdownBeforeDeletion"].BoolValue() && o["status"] == "running" {
				return a.act(c, "servers", id, "shutdown", nil)
			}
			return nil
		},
	}
}

// stopped does an action that wants the server off, and where told so starts it again when it was on.
func stopped(a *api, c *provider.Call, id, action string, body object, start bool) error {
	o, err := a.get(c, "servers", id, "server")
	if err != nil {
		return err
	}
	running := o["status"] != "off"
	if running {
		if err := a.act(c, "servers", id, "poweroff", nil); err != nil {
			return err
		}
	}
	err = a.act(c, "servers", id, action, body)
	if running && (start || err != nil) {
		err = errors.Join(err, a.act(c, "servers", id, "poweron", nil))
	}
	return err
}

// serverMade does what a server needs after it was made: networks with an address of their own, then the start, and the rest.
func serverMade(a *api, c *provider.Call, id string, in object) error {
	if wantsAddress(in) {
		for _, v := range list(in["networks"]) {
			n, _ := v.(object)
			if err := attach(a, c, id, n); err != nil {
				return err
			}
		}
		if err := a.act(c, "servers", id, "poweron", nil); err != nil {
			return err
		}
	}
	changes := server().change
	for _, name := range []string{"backups", "rebuildProtection", "iso", "rescue"} {
		if v, has := in[name]; has && v != false && v != "" {
			if err := changes[name](a, c, id, object{}, in); err != nil {
				return err
			}
		}
	}
	return nil
}
