import assert from "node:assert/strict";
import { type TestCloud, makeNetwork, makeServer, publicKey, testCloud } from "./api-client";

describe("cloud emulator: servers and networks", () => {
  let t: TestCloud;
  const show = async (id: number) => (await t.call("GET", `/servers/${id}`)).body.server;
  const act = (id: number, action: string, body: object = {}) =>
    t.done("POST", `/servers/${id}/actions/${action}`, body);
  beforeEach(async () => {
    t = await testCloud();
  });
  afterEach(() => t.end());

  it("makes a server with key, network, firewall, group and volume in one request, and deletes it", async () => {
    const network = await makeNetwork(t);
    const key = (await t.done("POST", "/ssh_keys", { name: "k", public_key: publicKey() })).ssh_key.id;
    const rules = [{ direction: "in", protocol: "tcp", port: "22", source_ips: ["203.0.113.0/24"] }];
    const firewall = (await t.done("POST", "/firewalls", { name: "f", rules })).firewall.id;
    const group = (await t.done("POST", "/placement_groups", { name: "g", type: "spread" })).placement_group.id;
    const volume = (await t.done("POST", "/volumes", { name: "v", size: 10, location: "fsn1", format: "ext4" })).volume
      .id;
    const made = await t.done("POST", "/servers", {
      name: "node-1",
      server_type: "cpx22",
      image: "debian-12",
      location: "fsn1",
      ssh_keys: [key],
      networks: [network],
      firewalls: [{ firewall }],
      placement_group: group,
      volumes: [volume],
      user_data: "#cloud-config\n",
      labels: { a: "b" },
    });
    assert.equal(made.server.status, "initializing");
    assert.equal(made.root_password, null);
    assert.deepEqual(
      [made.action, ...made.next_actions].map((a: any) => [a.command, a.status]),
      [
        ["create_server", "running"],
        ["attach_to_network", "running"],
        ["attach_volume", "running"],
        ["start_server", "running"],
      ],
    );
    const server = await show(made.server.id);
    assert.equal(server.status, "running");
    assert.equal(server.private_net[0].ip, "10.0.1.2");
    assert.match(server.private_net[0].mac_address, /^86:00:/);
    assert.deepEqual(server.public_net.firewalls, [{ id: firewall, status: "applied" }]);
    assert.equal(server.placement_group.id, group);
    assert.deepEqual(server.volumes, [volume]);
    assert.match(server.public_net.ipv6.ip, /::\/64$/);

    // What the backend was told, in the order that keeps a machine from running without its firewall.
    const order = t.backend.calls
      .map((c) => c.split(" ")[0])
      .filter((c) => /Server|powerOn|setFirewall|attach/.test(c!));
    assert.deepEqual(order, ["createServer", "setFirewall", "attachVolume", "powerOn"]);

    await t.done("DELETE", `/servers/${made.server.id}`);
    await t.fails("not_found", "GET", `/servers/${made.server.id}`);
    assert.equal((await t.call("GET", `/volumes/${volume}`)).body.volume.server, null);
    assert.deepEqual(t.cloud.objects()["primary_ips"], [], "addresses made with a server go with it");
    assert.deepEqual((await t.call("GET", `/firewalls/${firewall}`)).body.firewall.applied_to, []);
  });

  it("refuses what can't be made, before anything is made", async () => {
    const body = { name: "a", server_type: "cpx22", image: "debian-12", location: "fsn1" };
    await t.fails("invalid_input", "POST", "/servers", { ...body, name: "not a host" });
    await t.fails("invalid_input", "POST", "/servers", { ...body, server_type: "nothing" });
    await t.fails("invalid_input", "POST", "/servers", { ...body, image: "nothing" });
    await t.fails("invalid_input", "POST", "/servers", { ...body, networks: [17] });
    await t.fails("invalid_input", "POST", "/servers", { ...body, user_data: "x".repeat(32_769) });
    await t.fails("invalid_input", "POST", "/servers", { ...body, server_type: "cpx21" });
    const none = { enable_ipv4: false, enable_ipv6: false };
    await t.fails("invalid_input", "POST", "/servers", { ...body, public_net: none });
    t.cloud.fail({ kind: "soldOut", type: "cpx22", location: "fsn1" });
    assert.equal((await t.fails("resource_unavailable", "POST", "/servers", body)).status, 412);
    const types = (await t.call("GET", "/server_types?name=cpx22")).body.server_types[0];
    assert.equal(types.locations.find((l: any) => l.name === "fsn1").available, false);
    await makeServer(t, "b", { location: "nbg1" });
    await t.fails("uniqueness_error", "POST", "/servers", { ...body, name: "b", location: "nbg1" });
    assert.equal(t.cloud.objects()["servers"]!.length, 1);
    assert.equal(t.cloud.objects()["primary_ips"]!.length, 2);
  });

  it("locks a server while an action runs", async () => {
    const id = await makeServer(t, "a");
    await t.again({ latency: { actions: 200 } });
    await t.call("POST", `/servers/${id}/actions/poweroff`);
    assert.equal((await t.fails("locked", "POST", `/servers/${id}/actions/reboot`)).status, 423);
    await t.fails("locked", "DELETE", `/servers/${id}`);
    const running = (await t.call("GET", `/servers/${id}/actions?status=running`)).body.actions;
    assert.deepEqual(
      running.map((a: any) => a.command),
      ["stop_server"],
    );
    await t.cloud.settled();
    assert.equal((await show(id)).status, "off");
  });

  it("has power actions, rescue, backups, snapshots and rebuilds", async () => {
    const id = await makeServer(t, "a");
    await act(id, "shutdown");
    assert.equal((await show(id)).status, "off");
    await act(id, "poweron");
    await act(id, "reset");
    assert.equal((await show(id)).status, "running");
    assert.ok((await act(id, "enable_rescue", { type: "linux64" })).root_password);
    assert.equal((await show(id)).rescue_enabled, true);
    await act(id, "reboot");
    assert.equal((await show(id)).rescue_enabled, false);
    await act(id, "enable_backup");
    assert.equal((await show(id)).backup_window, "22-02");
    const { image } = await act(id, "create_image", { type: "snapshot", description: "s", labels: { a: "b" } });
    const snapshot = (await t.call("GET", `/images/${image.id}`)).body.image;
    assert.deepEqual([snapshot.status, snapshot.type, snapshot.created_from.id], ["available", "snapshot", id]);
    await act(id, "rebuild", { image: image.id });
    assert.equal((await show(id)).image.id, image.id);
    assert.equal((await t.call("GET", "/images?type=snapshot")).body.images.length, 1);
    await makeServer(t, "b", { image: image.id });
    await t.done("DELETE", `/images/${image.id}`);
    assert.equal((await show(id)).image, null);
  });

  it("changes the type of a stopped server only, switches it on again, and never shrinks a disk", async () => {
    const id = await makeServer(t, "a");
    const change = (type: string, upgrade = true) => ({ server_type: type, upgrade_disk: upgrade });
    await t.fails("server_not_stopped", "POST", `/servers/${id}/actions/change_type`, change("cpx32"));
    await act(id, "poweroff");
    await t.fails("invalid_server_type", "POST", `/servers/${id}/actions/change_type`, change("cax21"));
    await act(id, "change_type", change("cpx32"));
    const changed = await show(id);
    assert.deepEqual([changed.primary_disk_size, changed.status], [160, "running"]);
    await act(id, "poweroff");
    await t.fails("invalid_server_type", "POST", `/servers/${id}/actions/change_type`, change("cpx22"));
  });

  it("protects servers from deletion and rebuilds", async () => {
    const id = await makeServer(t, "a");
    await t.fails("invalid_input", "POST", `/servers/${id}/actions/change_protection`, { delete: true });
    await act(id, "change_protection", { delete: true, rebuild: true });
    assert.equal((await t.fails("protected", "DELETE", `/servers/${id}`)).status, 423);
    await t.fails("protected", "POST", `/servers/${id}/actions/rebuild`, { image: "debian-12" });
    await act(id, "change_protection", { delete: false, rebuild: false });
    await t.done("DELETE", `/servers/${id}`);
  });

  it("puts servers of a spread group on different computers, ten at most", async () => {
    const group = (await t.done("POST", "/placement_groups", { name: "g", type: "spread" })).placement_group.id;
    const place = { placement_group: group };
    t.cloud.fail({ kind: "hosts", count: 2 });
    await makeServer(t, "a", place);
    await makeServer(t, "b", place);
    const hosts = t.cloud.objects()["servers"]!.map((s: any) => s.host as number);
    assert.notEqual(hosts[0], hosts[1]);
    const third = { name: "c", server_type: "cpx22", image: "debian-12", location: "fsn1", ...place };
    await t.fails("placement_error", "POST", "/servers", third);
    t.cloud.fail({ kind: "hosts", count: 100 });
    for (let i = 3; i <= 10; i++) await makeServer(t, `s${i}`, place);
    await t.fails("placement_error", "POST", "/servers", third);
    await t.fails("resource_in_use", "DELETE", `/placement_groups/${group}`);
  });

  it("leaves a server that never boots starting", async () => {
    t.cloud.fail({ kind: "neverBoots", server: "a" });
    const id = await makeServer(t, "a");
    assert.equal((await show(id)).status, "starting");
    await t.done("DELETE", `/servers/${id}`);
  });

  it("gives, keeps and refuses private addresses", async () => {
    const network = await makeNetwork(t);
    const id = await makeServer(t, "a");
    const attach = `/servers/${id}/actions/attach_to_network`;
    await t.fails("ip_not_available", "POST", attach, { network, ip: "10.0.2.5" });
    await t.fails("ip_not_available", "POST", attach, { network, ip: "10.0.1.255" });
    await act(id, "attach_to_network", { network, ip: "10.0.1.11", alias_ips: ["10.0.1.12"] });
    await t.fails("server_already_attached", "POST", attach, { network });
    const other = await makeServer(t, "b");
    await t.fails("ip_not_available", "POST", `/servers/${other}/actions/attach_to_network`, {
      network,
      ip: "10.0.1.12",
    });
    const elsewhere = await makeServer(t, "c", { location: "sin" });
    await t.fails("no_subnet_available", "POST", `/servers/${elsewhere}/actions/attach_to_network`, { network });
    await act(id, "change_alias_ips", { network, alias_ips: [] });
    await t.fails("service_error", "POST", `/networks/${network}/actions/delete_subnet`, { ip_range: "10.0.1.0/24" });
    await act(id, "detach_from_network", { network });
    await t.done("POST", `/networks/${network}/actions/delete_subnet`, { ip_range: "10.0.1.0/24" });
  });

  it("keeps subnets and routes apart, extends ranges, and detaches when a network goes", async () => {
    const id = await makeNetwork(t);
    const at = `/networks/${id}/actions`;
    const subnet = (ip_range?: string) => ({ type: "cloud", network_zone: "eu-central", ip_range });
    await t.fails("invalid_input", "POST", `${at}/add_subnet`, subnet("10.0.1.128/25"));
    await t.fails("invalid_input", "POST", `${at}/add_subnet`, subnet("10.1.0.0/24"));
    await t.done("POST", `${at}/add_subnet`, subnet());
    await t.fails("invalid_input", "POST", `${at}/add_route`, { destination: "0.0.0.0/0", gateway: "10.0.0.1" });
    await t.done("POST", `${at}/add_route`, { destination: "0.0.0.0/0", gateway: "10.0.1.2" });
    await t.fails("invalid_input", "POST", `${at}/add_route`, { destination: "0.0.0.0/0", gateway: "10.0.1.3" });
    await t.fails("invalid_input", "POST", `${at}/change_ip_range`, { ip_range: "10.0.0.0/24" });
    await t.done("POST", `${at}/change_ip_range`, { ip_range: "10.0.0.0/15" });
    const { network } = (await t.call("GET", `/networks/${id}`)).body;
    assert.deepEqual(
      network.subnets.map((s: any) => [s.ip_range, s.gateway]),
      [
        ["10.0.1.0/24", "10.0.0.1"],
        ["10.0.0.0/24", "10.0.0.1"],
      ],
    );
    assert.deepEqual(network.routes, [{ destination: "0.0.0.0/0", gateway: "10.0.1.2" }]);
    await t.fails("not_found", "POST", `${at}/delete_route`, { destination: "10.9.0.0/16", gateway: "10.0.1.2" });
    const server = await makeServer(t, "a", { networks: [id] });
    await t.done("POST", `${at}/change_protection`, { delete: true });
    await t.fails("protected", "DELETE", `/networks/${id}`);
    await t.done("POST", `${at}/change_protection`, { delete: false });
    await t.done("DELETE", `/networks/${id}`);
    assert.deepEqual((await show(server)).private_net, []);
  });
});
