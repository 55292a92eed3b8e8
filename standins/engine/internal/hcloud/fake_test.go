package hcloud

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"groundwork.dev/standins/engine/internal/provider"
)

// fake is a cloud in memory: objects by path and id, and actions that change them. Each action runs for one poll before it ends.
type fake struct {
	mu      sync.Mutex
	t       *testing.T
	next    float64
	objects map[string]map[string]object
	calls   []string
	polls   map[string]int
}

func start(t *testing.T) (*fake, *provider.Tester) {
	t.Helper()
	f := &fake{t: t, next: 100, objects: map[string]map[string]object{}, polls: map[string]int{}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	p := provider.NewTester(Definition("1.41.0"))
	if err := p.Configure(provider.PropsOf(map[string]any{"token": "t", "endpoint": s.URL, "pollInterval": "1ms"})); err != nil {
		t.Fatal(err)
	}
	return f, p
}

var singular = map[string]string{
	"servers": "server", "networks": "network", "firewalls": "firewall", "ssh_keys": "ssh_key", "placement_groups": "placement_group",
	"images": "image", "volumes": "volume", "primary_ips": "primary_ip", "load_balancers": "load_balancer",
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer t" {
		f.fail(w, 401, "unauthorized")
		return
	}
	body := object{}
	_ = json.NewDecoder(r.Body).Decode(&body)
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	kind := parts[0]
	if kind == "actions" {
		f.actions(w, r)
		return
	}
	f.calls = append(f.calls, r.Method+" "+strings.Trim(r.URL.Path, "/"))
	if f.objects[kind] == nil {
		f.objects[kind] = map[string]object{}
	}
	switch {
	case len(parts) == 1 && r.Method == "POST":
		f.next++
		body["id"] = f.next
		shape(kind, body)
		f.objects[kind][text(f.next)] = body
		f.answer(w, object{singular[kind]: body, "action": f.action()})
	case len(parts) == 1:
		found := []any{}
		for _, o := range f.objects[kind] {
			if o["name"] == r.URL.Query().Get("name") {
				found = append(found, o)
			}
		}
		f.answer(w, object{kind: found})
	default:
		o := f.objects[kind][parts[1]]
		if o == nil {
			f.fail(w, 404, "not_found")
			return
		}
		switch {
		case r.Method == "DELETE":
			delete(f.objects[kind], parts[1])
			if kind != "servers" {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			f.answer(w, object{"action": f.action()})
		case r.Method == "PUT":
			for k, v := range body {
				o[k] = v
			}
			f.answer(w, object{singular[kind]: o})
		case len(parts) == 4:
			if parts[3] == "create_image" {
				f.next++
				body["id"], body["created_from"], body["protection"] = f.next, object{"id": o["id"]}, object{"delete": false}
				if f.objects["images"] == nil {
					f.objects["images"] = map[string]object{}
				}
				f.objects["images"][text(f.next)] = body
				f.answer(w, object{"image": body, "action": f.action()})
				return
			}
			f.act(o, parts[3], body)
			f.answer(w, object{"action": f.action()})
		default:
			f.answer(w, object{singular[kind]: o})
		}
	}
}

func (f *fake) action() object {
	f.next++
	return object{"id": f.next, "status": "running", "progress": 0, "command": "x"}
}

func (f *fake) actions(w http.ResponseWriter, r *http.Request) {
	out := []any{}
	for _, id := range r.URL.Query()["id"] {
		f.polls[id]++
		status := "running"
		if f.polls[id] > 1 {
			status = "success"
		}
		n, _ := strconv.ParseFloat(id, 64)
		out = append(out, object{"id": n, "status": status, "progress": 100, "command": "x"})
	}
	f.answer(w, object{"actions": out, "meta": object{"pagination": object{"page": 1, "last_page": 1}}})
}

func (f *fake) answer(w http.ResponseWriter, o object) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(o)
}

func (f *fake) fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(object{"error": object{"code": code, "message": code}})
}

// shape turns the request that makes an object into the form in which the API shows it.
func shape(kind string, o object) {
	o["protection"] = object{"delete": false, "rebuild": false}
	if _, has := o["labels"]; !has {
		o["labels"] = object{}
	}
	switch kind {
	case "ssh_keys":
		o["fingerprint"] = "aa:bb"
	case "servers":
		o["status"], o["server_type"], o["image"] = "running", object{"name": o["server_type"]}, object{"name": o["image"]}
		if o["start_after_create"] == false {
			o["status"] = "off"
		}
		firewalls := []any{}
		for _, v := range list(o["firewalls"]) {
			firewalls = append(firewalls, object{"id": v.(object)["firewall"], "status": "applied"})
		}
		given := sub(o, "public_net")
		o["public_net"] = object{
			"ipv4": object{"ip": "192.0.2.1", "id": given["ipv4"]}, "ipv6": object{"ip": "2001:db8::/64", "id": given["ipv6"]}, "firewalls": firewalls,
		}
		nets := []any{}
		for _, v := range list(o["networks"]) {
			nets = append(nets, object{"network": v, "ip": "10.0.0.2", "alias_ips": []any{}, "mac_address": "86:00:00:00:00:01"})
		}
		o["private_net"], o["location"], o["primary_disk_size"] = nets, object{"name": "fsn1"}, 40.0
	case "volumes":
		o["location"], o["linux_device"] = object{"name": o["location"]}, "/dev/disk/by-id/scsi-0HC_Volume_1"
	case "load_balancers":
		o["load_balancer_type"], o["location"] = object{"name": o["load_balancer_type"]}, object{"name": o["location"], "network_zone": "eu-central"}
		o["public_net"] = object{"enabled": true, "ipv4": object{"ip": "192.0.2.9"}, "ipv6": object{"ip": "2001:db8::9"}}
		o["algorithm"] = object{"type": "round_robin"}
	case "primary_ips":
		o["ip"], o["location"] = "192.0.2.7", object{"name": o["location"]}
	case "firewalls":
		o["applied_to"] = o["apply_to"]
	}
}

func (f *fake) act(o object, action string, body object) {
	remove := func(key, by string, value any) {
		kept := []any{}
		for _, v := range list(o[key]) {
			if fmt.Sprint(v.(object)[by]) != fmt.Sprint(value) {
				kept = append(kept, v)
			}
		}
		o[key] = kept
	}
	switch action {
	case "add_subnet":
		body["gateway"] = "10.0.0.1"
		o["subnets"] = append(list(o["subnets"]), body)
	case "delete_subnet":
		remove("subnets", "ip_range", body["ip_range"])
	case "add_route":
		o["routes"] = append(list(o["routes"]), body)
	case "delete_route":
		remove("routes", "destination", body["destination"])
	case "attach_to_network":
		n := object{"network": body["network"], "ip": "10.0.0.9", "alias_ips": list(body["alias_ips"]), "mac_address": "86:00:00:00:00:02"}
		if body["ip"] != nil {
			n["ip"] = body["ip"]
		}
		o["private_net"] = append(list(o["private_net"]), n)
	case "detach_from_network":
		remove("private_net", "network", body["network"])
	case "change_protection":
		o["protection"] = body
	case "change_type":
		o["server_type"], o["status"] = object{"name": body["server_type"]}, "running"
	case "poweron":
		o["status"] = "running"
	case "poweroff", "shutdown":
		o["status"] = "off"
	case "set_rules":
		o["rules"] = body["rules"]
	case "apply_to_resources":
		o["applied_to"] = append(list(o["applied_to"]), list(body["apply_to"])...)
	case "remove_from_resources":
		kept := []any{}
		for _, v := range list(o["applied_to"]) {
			gone := false
			for _, r := range list(body["remove_from"]) {
				gone = gone || targetKey(v) == targetKey(r)
			}
			if !gone {
				kept = append(kept, v)
			}
		}
		o["applied_to"] = kept
	case "resize":
		o["size"] = body["size"]
	case "attach":
		o["server"] = body["server"]
	case "detach":
		delete(o, "server")
	case "add_service":
		o["services"] = append(list(o["services"]), body)
	case "update_service":
		remove("services", "listen_port", body["listen_port"])
		o["services"] = append(list(o["services"]), body)
	case "delete_service":
		remove("services", "listen_port", body["listen_port"])
	case "add_target":
		o["targets"] = append(list(o["targets"]), body)
	case "remove_target":
		o["targets"] = []any{}
	case "assign":
		o["assignee_id"] = body["assignee_id"]
	case "unassign":
		delete(o, "assignee_id")
	case "disable_public_interface":
		sub(o, "public_net")["enabled"] = false
	case "enable_public_interface":
		sub(o, "public_net")["enabled"] = true
	default:
		f.t.Errorf("the fake cloud has no action %s", action)
	}
}
