package hcloud

import (
	"strings"
	"testing"

	"groundwork.dev/standins/engine/internal/provider"
)

type props = map[string]any

func token(kind string) string {
	return "hcloud:index/" + strings.ToLower(kind[:1]) + kind[1:] + ":" + kind
}

func create(t *testing.T, p *provider.Tester, kind string, in props) *provider.State {
	t.Helper()
	s, err := p.Create(token(kind), provider.PropsOf(in), false)
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	again, err := p.Read(token(kind), s.ID, s)
	if err != nil || again == nil {
		t.Fatalf("%s: refresh: %v %v", kind, again, err)
	}
	if !provider.Value(again.Inputs).DeepEquals(provider.Value(s.Inputs)) {
		t.Fatalf("%s: a refresh right after the create sees drift: %v, was %v", kind, again.Inputs, s.Inputs)
	}
	d, err := p.Diff(again, again.Inputs)
	if err != nil || len(d.GetDiffs()) != 0 {
		t.Fatalf("%s: differs from itself: %v %v", kind, d, err)
	}
	return s
}

func TestEveryKindIsMadeSeenAndDeleted(t *testing.T) {
	f, p := start(t)
	key := create(t, p, "SshKey", props{"publicKey": "ssh-ed25519 AAAA x"})
	if !strings.HasPrefix(key.Text("name"), "it-") || key.Text("fingerprint") != "aa:bb" {
		t.Fatalf("%v", key.Props)
	}
	group := create(t, p, "PlacementGroup", props{"type": "spread", "name": "g"})
	net := create(t, p, "Network", props{"name": "n", "ipRange": "10.0.0.0/16", "deleteProtection": true})
	subnet := create(t, p, "NetworkSubnet", props{"networkId": num(net.ID), "type": "cloud", "ipRange": "10.0.0.0/24", "networkZone": "eu-central"})
	if subnet.ID != net.ID+"-10.0.0.0/24" || subnet.Text("gateway") != "10.0.0.1" {
		t.Fatalf("%v", subnet)
	}
	route := create(t, p, "NetworkRoute", props{"networkId": num(net.ID), "destination": "10.9.0.0/16", "gateway": "10.0.0.2"})
	wall := create(t, p, "Firewall", props{"rules": []any{props{"direction": "in", "protocol": "tcp", "port": "22", "sourceIps": []any{"0.0.0.0/0"}}}})
	server := create(t, p, "Server", props{
		"serverType": "cx22", "image": "debian-12", "location": "fsn1", "sshKeys": []any{key.ID}, "userData": "#cloud-config", "firewallIds": []any{num(wall.ID)},
		"networks": []any{props{"networkId": num(net.ID), "ip": "10.0.0.5"}}, "placementGroupId": num(group.ID), "labels": props{"role": "server"},
	})
	if server.Text("ipv4Address") != "192.0.2.1" || server.Text("ipv6Address") != "2001:db8::1" || server.Text("status") != "running" {
		t.Fatalf("%v", server.Props)
	}
	if strings.Contains(server.Text("userData"), "cloud-config") {
		t.Fatal("user data may hold keys: the state keeps its digest")
	}
	second := create(t, p, "Server", props{"serverType": "cx22", "image": "debian-12"})
	attached := create(t, p, "ServerNetwork", props{"serverId": num(second.ID), "subnetId": subnet.ID})
	if attached.Text("ip") != "10.0.0.9" {
		t.Fatalf("%v", attached.Props)
	}
	other := create(t, p, "Firewall", props{"name": "f"})
	attachment := create(t, p, "FirewallAttachment", props{"firewallId": num(other.ID), "serverIds": []any{num(server.ID)}})
	shot := create(t, p, "Snapshot", props{"serverId": num(second.ID), "description": "before", "labels": props{"a": "b"}})
	disk := create(t, p, "Volume", props{"size": 10, "location": "fsn1"})
	mount := create(t, p, "VolumeAttachment", props{"volumeId": num(disk.ID), "serverId": num(server.ID)})
	ip := create(t, p, "PrimaryIp", props{"type": "ipv4", "location": "fsn1", "autoDelete": false})
	lb := create(t, p, "LoadBalancer", props{"loadBalancerType": "lb11", "location": "fsn1"})
	lbNet := create(t, p, "LoadBalancerNetwork", props{"loadBalancerId": num(lb.ID), "networkId": num(net.ID), "enablePublicInterface": false})
	service := create(t, p, "LoadBalancerService", props{"loadBalancerId": lb.ID, "protocol": "http", "healthCheck": props{"protocol": "tcp", "port": 80, "interval": 5, "timeout": 3, "retries": 2}})
	if service.ID != lb.ID+"__80" {
		t.Fatal(service.ID)
	}
	goal := create(t, p, "LoadBalancerTarget", props{"loadBalancerId": num(lb.ID), "type": "server", "serverId": num(server.ID), "usePrivateIp": true})
	for _, s := range []*provider.State{goal, service, lbNet, lb, ip, mount, disk, shot, attachment, other, attached, second, server, wall, route, subnet, net, group, key} {
		if err := p.Delete(s); err != nil {
			t.Fatal(err)
		}
		err := p.Delete(s)
		// Attachments and subnets are asked for at what they belong to, which is there still.
		insists := s == server || s == second || s == group || s == wall || s == other || s == attachment || s == subnet
		if (err != nil) != insists {
			t.Fatalf("a second delete of what is gone: %v, %v", s.ID, err)
		}
	}
	for kind, left := range f.objects {
		if len(left) > 0 {
			t.Errorf("%s left: %v", kind, left)
		}
	}
}

func TestUpdates(t *testing.T) {
	f, p := start(t)
	in := props{"serverType": "cx22", "image": "debian-12", "name": "s", "keepDisk": true}
	s := create(t, p, "Server", in)
	in["serverType"], in["labels"] = "cx32", props{"a": "b"}
	d, err := p.Diff(s, provider.PropsOf(in))
	if err != nil || len(d.GetReplaces()) != 0 || len(d.GetDiffs()) != 2 {
		t.Fatalf("%v %v", d, err)
	}
	f.calls = nil
	if s, err = p.Update(s, provider.PropsOf(in)); err != nil {
		t.Fatal(err)
	}
	want := "GET servers/ID POST servers/ID/actions/poweroff POST servers/ID/actions/change_type PUT servers/ID GET servers/ID"
	if got := strings.ReplaceAll(strings.Join(f.calls, " "), s.ID, "ID"); got != want {
		t.Fatalf("calls\n%s\nwant\n%s", got, want)
	}
	in["image"] = "debian-13"
	if d, err = p.Diff(s, provider.PropsOf(in)); err != nil || strings.Join(d.GetReplaces(), " ") != "image" {
		t.Fatalf("%v %v", d, err)
	}
}

func TestPublicAddressesChange(t *testing.T) {
	f, p := start(t)
	address := func(family string) float64 {
		return num(create(t, p, "PrimaryIp", props{"type": family, "location": "fsn1", "autoDelete": false}).ID)
	}
	one, two, six := address("ipv4"), address("ipv4"), address("ipv6")
	public := func(net props) props {
		return props{"serverType": "cx22", "image": "debian-12", "name": "s", "publicNets": []any{net}}
	}
	s := create(t, p, "Server", public(props{"ipv4": one, "ipv6Enabled": false}))
	change := func(net props, want string) {
		t.Helper()
		d, err := p.Diff(s, provider.PropsOf(public(net)))
		if err != nil || strings.Join(d.GetDiffs(), " ") != "publicNets" || len(d.GetReplaces()) != 0 {
			t.Fatalf("%v %v", d, err)
		}
		f.calls = nil
		if s, err = p.Update(s, provider.PropsOf(public(net))); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(f.calls[2:len(f.calls)-2], " ")
		got = strings.NewReplacer("primary_ips/"+text(one), "ONE", "primary_ips/"+text(two), "TWO", "primary_ips/"+text(six), "SIX", "/actions", "", "POST ", "").Replace(got)
		if f.calls[1] != "POST servers/"+s.ID+"/actions/poweroff" || got != want {
			t.Fatalf("calls %v, want %s", f.calls, want)
		}
	}
	change(props{"ipv4": two, "ipv6": six}, "ONE/unassign TWO/assign SIX/assign")
	f.objects["servers"][s.ID]["public_net"] = object{"ipv4": object{"id": two}, "ipv6": object{"id": six}}
	change(props{"ipv4Enabled": false, "ipv6": six}, "TWO/unassign")
	f.objects["servers"][s.ID]["public_net"] = object{"ipv6": object{"id": six}}
	change(props{"ipv6Enabled": false}, "primary_ips SIX/unassign")
}

func TestRefreshSeesDriftAndLoss(t *testing.T) {
	f, p := start(t)
	s := create(t, p, "Network", props{"name": "n", "ipRange": "10.0.0.0/16", "labels": props{"a": "b"}})
	f.objects["networks"][s.ID]["labels"] = object{"a": "changed", "more": "x"}
	again, err := p.Read(token("Network"), s.ID, s)
	if err != nil || again == nil {
		t.Fatal(again, err)
	}
	d, err := p.Diff(again, s.Inputs)
	if err != nil || strings.Join(d.GetDiffs(), " ") != "labels" {
		t.Fatalf("%v %v", d, err)
	}
	rule := func(port string) any {
		return props{"direction": "in", "protocol": "tcp", "port": port, "sourceIps": []any{"0.0.0.0/0"}}
	}
	wall := create(t, p, "Firewall", props{"name": "f", "rules": []any{rule("22"), rule("443")}})
	seen := list(f.objects["firewalls"][wall.ID]["rules"])
	f.objects["firewalls"][wall.ID]["rules"] = []any{seen[1], seen[0]}
	for what, want := range map[string]int{"order": 0, "content": 1} {
		if what == "content" {
			f.objects["firewalls"][wall.ID]["rules"] = []any{seen[1], seen[1]}
		}
		if again, err = p.Read(token("Firewall"), wall.ID, wall); err != nil || again == nil {
			t.Fatal(again, err)
		}
		if d, err = p.Diff(again, wall.Inputs); err != nil || len(d.GetDiffs()) != want {
			t.Fatalf("%s: %v %v", what, d, err)
		}
		f.objects["firewalls"][wall.ID]["rules"] = []any{seen[1], seen[0]}
	}
	delete(f.objects["networks"], s.ID)
	if again, err = p.Read(token("Network"), s.ID, s); err != nil || again != nil {
		t.Fatalf("%v %v", again, err)
	}
}

func TestImport(t *testing.T) {
	_, p := start(t)
	s := create(t, p, "Network", props{"name": "n", "ipRange": "10.0.0.0/16"})
	got, err := p.Read(token("Network"), s.ID, nil)
	if err != nil || got == nil {
		t.Fatal(got, err)
	}
	if d, err := p.Diff(got, s.Inputs); err != nil || len(d.GetDiffs()) != 0 {
		t.Fatalf("%v %v", d, err)
	}
}

func TestWrongTokenAndNoToken(t *testing.T) {
	_, p := start(t)
	bare := provider.NewTester(Definition("1.41.0"))
	t.Setenv("HCLOUD_TOKEN", "")
	if err := bare.Configure(provider.Props{}); err != nil {
		t.Fatal(err)
	}
	if _, err := bare.Create(token("PlacementGroup"), provider.PropsOf(props{"type": "spread"}), false); err == nil || !strings.Contains(err.Error(), "no token") {
		t.Fatalf("error %v", err)
	}
	if _, err := p.Create(token("PlacementGroup"), provider.PropsOf(props{}), false); err == nil || !strings.Contains(err.Error(), "type") {
		t.Fatalf("error %v", err)
	}
}
