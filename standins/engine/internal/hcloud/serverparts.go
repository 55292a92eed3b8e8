package hcloud

import (
	"crypto/sha1" // #nosec G505: the official provider keeps this digest of the user data in the state
	"encoding/base64"
	"errors"
	"strings"

	"groundwork.dev/standins/engine/internal/provider"
)

// wantsAddress says that a network of the server asks for an address of its own, which the request that makes a server can't.
func wantsAddress(in object) bool {
	for _, v := range list(in["networks"]) {
		n, _ := v.(object)
		if text(n["ip"]) != "" || len(list(n["aliasIps"])) > 0 || text(n["subnetId"]) != "" {
			return true
		}
	}
	return false
}

func serverBody(a *api, c *provider.Call, in object) (object, error) {
	body := pick(in, map[string]string{
		"serverType": "server_type", "image": "image", "location": "location", "datacenter": "datacenter", "userData": "user_data", "placementGroupId": "placement_group",
	})
	var keys []any
	for _, v := range list(in["sshKeys"]) {
		id, err := sshKeyID(a, c, text(v))
		if err != nil {
			return nil, err
		}
		keys = append(keys, id)
	}
	if keys != nil {
		body["ssh_keys"] = keys
	}
	var firewalls, nets []any
	for _, v := range list(in["firewallIds"]) {
		firewalls = append(firewalls, object{"firewall": v})
	}
	if firewalls != nil {
		body["firewalls"] = firewalls
	}
	if wantsAddress(in) {
		body["start_after_create"] = false
	} else {
		for _, v := range list(in["networks"]) {
			n, _ := v.(object)
			nets = append(nets, n["networkId"])
		}
	}
	if nets != nil {
		body["networks"] = nets
	}
	if public := list(in["publicNets"]); len(public) > 0 {
		p, _ := public[0].(object)
		net := object{"enable_ipv4": p["ipv4Enabled"] != false, "enable_ipv6": p["ipv6Enabled"] != false}
		for k, v := range pick(p, map[string]string{"ipv4": "ipv4", "ipv6": "ipv6"}) {
			if num(v) != 0 {
				net[k] = v
			}
		}
		body["public_net"] = net
	}
	return body, nil
}

// sshKeyID finds a key by its id or name.
func sshKeyID(a *api, c *provider.Call, idOrName string) (float64, error) {
	if id := num(idOrName); id != 0 {
		return id, nil
	}
	answer, err := a.do(c, "GET", "ssh_keys?name="+idOrName, nil)
	if err != nil {
		return 0, err
	}
	for _, v := range list(answer["ssh_keys"]) {
		k, _ := v.(object)
		return num(k["id"]), nil
	}
	return 0, errors.New("no SSH key has the name " + idOrName)
}

func attach(a *api, c *provider.Call, id string, net object) error {
	body := pick(net, map[string]string{"ip": "ip", "aliasIps": "alias_ips"})
	if text(body["ip"]) == "" {
		delete(body, "ip")
	}
	body["network"] = networkIDOf(net)
	if _, ipRange, ok := strings.Cut(text(net["subnetId"]), "-"); ok {
		body["ip_range"] = ipRange
	}
	return a.act(c, "servers", id, "attach_to_network", body)
}

func serverView(o object) object {
	public := sub(o, "public_net")
	v4, v6 := text(sub(public, "ipv4")["ip"]), text(sub(public, "ipv6")["ip"])
	firewalls := []any{}
	for _, v := range list(public["firewalls"]) {
		f, _ := v.(object)
		firewalls = append(firewalls, f["id"])
	}
	nets := []any{}
	for _, v := range list(o["private_net"]) {
		n, _ := v.(object)
		nets = append(nets, object{"networkId": n["network"], "ip": n["ip"], "aliasIps": list(n["alias_ips"]), "macAddress": n["mac_address"]})
	}
	out := object{
		"serverType": sub(o, "server_type")["name"], "status": o["status"], "ipv4Address": v4, "ipv6Network": v6, "ipv6Address": firstAddress(v6),
		"firewallIds": firewalls, "networks": nets, "backups": text(o["backup_window"]) != "", "backupWindow": text(o["backup_window"]),
		"primaryDiskSize": o["primary_disk_size"], "rebuildProtection": sub(o, "protection")["rebuild"] == true,
	}
	if image := sub(o, "image"); image != nil {
		if out["image"] = image["name"]; text(image["name"]) == "" {
			out["image"] = text(image["id"])
		}
	}
	if dc := sub(o, "datacenter"); dc != nil {
		out["datacenter"], out["location"] = dc["name"], sub(dc, "location")["name"]
	}
	if l := sub(o, "location"); l != nil {
		out["location"] = l["name"]
	}
	if g := sub(o, "placement_group"); g != nil {
		out["placementGroupId"] = g["id"]
	}
	return out
}

// firstAddress is the first host of the server's IPv6 network.
func firstAddress(network string) string {
	base, _, ok := strings.Cut(network, "/")
	if !ok {
		return network
	}
	return base + "1"
}

// userDataDigest is what the state keeps of user data.
func userDataDigest(data string) string {
	sum := sha1.Sum([]byte(data)) // #nosec G401
	return base64.StdEncoding.EncodeToString(sum[:])
}

func missing(in, from []any) []any {
	var out []any
	for _, v := range in {
		found := false
		for _, w := range from {
			found = found || text(v) == text(w)
		}
		if !found {
			out = append(out, v)
		}
	}
	return out
}

func changeFirewalls(a *api, c *provider.Call, id string, old, in object) error {
	target := []any{object{"type": "server", "server": object{"id": num(id)}}}
	for _, f := range missing(list(in["firewallIds"]), list(old["firewallIds"])) {
		if err := a.act(c, "firewalls", text(f), "apply_to_resources", object{"apply_to": target}); err != nil {
			return err
		}
	}
	for _, f := range missing(list(old["firewallIds"]), list(in["firewallIds"])) {
		if err := a.act(c, "firewalls", text(f), "remove_from_resources", object{"remove_from": target}); err != nil {
			return err
		}
	}
	return nil
}

func changeNetworks(a *api, c *provider.Call, id string, old, in object) error {
	byID := func(l []any) map[string]object {
		out := map[string]object{}
		for _, v := range l {
			n, _ := v.(object)
			out[text(networkIDOf(n))] = n
		}
		return out
	}
	olds, news := byID(list(old["networks"])), byID(list(in["networks"]))
	for net, was := range olds {
		if now, has := news[net]; !has || text(now["ip"]) != text(was["ip"]) {
			if err := a.act(c, "servers", id, "detach_from_network", object{"network": num(net)}); err != nil {
				return err
			}
			delete(olds, net)
		}
	}
	for net, now := range news {
		if _, has := olds[net]; !has {
			if err := attach(a, c, id, now); err != nil {
				return err
			}
		} else if err := a.act(c, "servers", id, "change_alias_ips", object{"network": num(net), "alias_ips": list(now["aliasIps"])}); err != nil {
			return err
		}
	}
	return nil
}
