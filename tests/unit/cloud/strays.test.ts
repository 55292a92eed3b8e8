import assert from "node:assert/strict";
import { CloudApi } from "../../../cli/cloud/api";
import { type StackState, brokenServers, recoverPendingCreates, uncertain } from "../../../cli/strays";
import { type TestCloud, makeNetwork, makeServer, publicKey, testCloud } from "./api-client";

const labels = { "groundwork-stack": "prod", "managed-by": "groundwork" };

describe("what a killed run had begun in the cloud", () => {
  let t: TestCloud;
  let api: CloudApi;
  beforeEach(async () => {
    t = await testCloud();
    api = new CloudApi(t.cloud);
  });
  afterEach(() => t.end());

  type Entry = { type: string; inputs: Record<string, unknown>; id?: string };
  const urn = (type: string) => `urn:pulumi:prod::groundwork::hcloud:index/${type}::thing`;
  const resource = ({ type, ...rest }: Entry) => ({ urn: urn(type), type: `hcloud:index/${type}`, ...rest });
  const stateOf = (pending: Entry[], resources: Entry[] = []): StackState => ({
    deployment: {
      resources: resources.map(resource),
      pending_operations: pending.map((entry) => ({ type: "creating", resource: resource(entry) })),
    },
  });
  const recover = async (state: StackState) =>
    (await recoverPendingCreates({ state, label: "prod", api })).map((r) => r.result);
  const left = (kind: string) => t.cloud.objects()[kind]!.map((o: any) => o.name as string);

  it("is deleted when it is named, carries the stack's labels and is in no state", async () => {
    await makeServer(t, "prod-server-1", { labels });
    await t.done("POST", "/ssh_keys", { name: "prod-key", public_key: publicKey(), labels });
    const state = stateOf([
      { type: "sshKey:SshKey", inputs: { name: "prod-key" } },
      { type: "server:Server", inputs: { name: "prod-server-1" } },
      { type: "network:Network", inputs: { name: "prod-network" } },
    ]);
    assert.deepEqual(await recover(state), ["absent", "deleted", "deleted"]);
    assert.deepEqual(state.deployment!.pending_operations, []);
    assert.deepEqual([left("servers"), left("ssh_keys"), left("primary_ips")], [[], [], []]);
    assert.deepEqual(await recover(state), [], "a second time there is nothing to do");
  });

  it("is deleted also when it is protected, or attached already", async () => {
    const server = await makeServer(t, "prod-server-1", { labels });
    const { volume } = await t.done("POST", "/volumes", { name: "prod-volume", size: 10, server, labels });
    await t.done("POST", `/volumes/${volume.id}/actions/change_protection`, { delete: true });
    assert.deepEqual(await recover(stateOf([{ type: "volume:Volume", inputs: { name: "prod-volume" } }])), ["deleted"]);
    assert.deepEqual([left("volumes"), left("servers")], [[], ["prod-server-1"]]);
  });

  it("has the next run look again at what was being deleted or changed, and a destroy at everything", () => {
    const known = (type: string): Entry => ({ type, id: "1", inputs: {} });
    const resources = [known("server:Server"), known("network:Network"), known("firewall:Firewall")];
    const state = stateOf([{ type: "volume:Volume", inputs: {} }], resources);
    for (const type of ["deleting", "updating"]) {
      const server = { type, resource: resource(resources[0]!) };
      const other = {
        type,
        resource: { urn: "urn:pulumi:prod::groundwork::tls:index/key:Key::key", type: "tls:index/key:Key" },
      };
      state.deployment!.pending_operations!.push(server, other);
    }
    assert.deepEqual(uncertain(state, "up"), [urn("server:Server")]);
    assert.deepEqual(
      uncertain(state, "destroy"),
      resources.map(({ type }) => urn(type)),
    );
    assert.deepEqual(uncertain({}, "destroy"), []);
  });

  it("is left alone without the labels of this stack, and named", async () => {
    const others = [
      {},
      { ...labels, "groundwork-stack": "other" },
      { "groundwork-stack": "prod", "managed-by": "csi-driver" },
    ];
    for (const [i, theirs] of others.entries()) {
      await makeServer(t, `server-${i}`, { labels: theirs });
      const state = stateOf([{ type: "server:Server", inputs: { name: `server-${i}` } }]);
      const [found] = await recoverPendingCreates({ state, label: "prod", api });
      assert.deepEqual([found!.result, found!.what], ["foreign", `server server-${i}`]);
    }
    assert.equal(left("servers").length, 3);
  });

  it("is left alone when the state has it, or no note names it", async () => {
    const id = await makeServer(t, "prod-server-1", { labels });
    await makeServer(t, "prod-server-2", { labels });
    const inputs = { name: "prod-server-1" };
    const state = stateOf([{ type: "server:Server", inputs }], [{ type: "server:Server", inputs, id: String(id) }]);
    assert.deepEqual(await recover(state), ["absent"]);
    assert.deepEqual(left("servers"), ["prod-server-1", "prod-server-2"]);
  });

  it("keeps notes of other kinds and of deletions", async () => {
    const state = stateOf([]);
    state.deployment!.pending_operations = [
      { type: "deleting", resource: resource({ type: "server:Server", inputs: { name: "a" } }) },
      { type: "creating", resource: { ...resource({ type: "x:X", inputs: {} }), type: "command:remote:Command" } },
    ];
    await recover(state);
    assert.equal(state.deployment!.pending_operations.length, 2);
  });

  it("is taken back where it is a part of another object of ours", async () => {
    const network = await makeNetwork(t, "prod-network");
    await t.done("PUT", `/networks/${network}`, { labels });
    const at = `/networks/${network}/actions`;
    await t.done("POST", `${at}/add_route`, { destination: "0.0.0.0/0", gateway: "10.0.1.2" });
    await t.done("POST", `${at}/add_subnet`, { type: "cloud", network_zone: "eu-central", ip_range: "10.0.2.0/24" });
    const server = await makeServer(t, "a", { labels, networks: [network] });
    const { firewall } = await t.done("POST", "/firewalls", {
      name: "f",
      labels,
      apply_to: [{ type: "server", server: { id: server } }],
    });
    const { load_balancer } = await t.done("POST", "/load_balancers", {
      name: "lb",
      load_balancer_type: "lb11",
      location: "fsn1",
      network,
      labels,
      services: [{ protocol: "tcp", listen_port: 80, destination_port: 80 }],
      targets: [{ type: "server", server: { id: server }, use_private_ip: true }],
    });
    const { volume } = await t.done("POST", "/volumes", { name: "v", size: 10, server, labels });
    const loadBalancerId = load_balancer.id;
    const known: Entry[] = [
      { type: "networkSubnet:NetworkSubnet", inputs: { networkId: network, ipRange: "10.0.1.0/24" } },
    ];
    const pending: Entry[] = [
      { type: "networkSubnet:NetworkSubnet", inputs: { networkId: network, ipRange: "10.0.1.0/24" } },
      { type: "networkSubnet:NetworkSubnet", inputs: { networkId: network, ipRange: "10.0.2.0/24" } },
      {
        type: "networkRoute:NetworkRoute",
        inputs: { networkId: network, destination: "0.0.0.0/0", gateway: "10.0.1.2" },
      },
      { type: "volumeAttachment:VolumeAttachment", inputs: { volumeId: volume.id, serverId: server } },
      { type: "firewallAttachment:FirewallAttachment", inputs: { firewallId: firewall.id, serverIds: [server] } },
      {
        type: "loadBalancerNetwork:LoadBalancerNetwork",
        inputs: { loadBalancerId, subnetId: `${network}-10.0.1.0/24` },
      },
      {
        type: "loadBalancerService:LoadBalancerService",
        inputs: { loadBalancerId: String(loadBalancerId), protocol: "http" },
      },
      { type: "loadBalancerTarget:LoadBalancerTarget", inputs: { loadBalancerId, type: "server", serverId: server } },
      { type: "serverNetwork:ServerNetwork", inputs: { serverId: server, networkId: network } },
    ];
    const results = (await recover(stateOf(pending, known))).reverse();
    assert.deepEqual(results, ["absent", ...Array.from({ length: 8 }, () => "deleted")]);
    const one = async (path: string, key: string) => (await t.call("GET", path)).body[key];
    const net = await one(`/networks/${network}`, "network");
    assert.deepEqual([net.subnets.map((s: any) => s.ip_range), net.routes], [["10.0.1.0/24"], []]);
    assert.deepEqual((await one(`/servers/${server}`, "server")).private_net, []);
    const lb = await one(`/load_balancers/${loadBalancerId}`, "load_balancer");
    assert.deepEqual([lb.services, lb.targets, lb.private_net], [[], [], []]);
    assert.equal((await one(`/volumes/${volume.id}`, "volume")).server, null);
    assert.deepEqual((await one(`/firewalls/${firewall.id}`, "firewall")).applied_to, []);

    const foreign = await makeNetwork(t, "theirs");
    const theirs: Entry = {
      type: "networkSubnet:NetworkSubnet",
      inputs: { networkId: foreign, ipRange: "10.0.1.0/24" },
    };
    assert.deepEqual(await recover(stateOf([theirs])), ["foreign"]);
    assert.equal((await one(`/networks/${foreign}`, "network")).subnets.length, 1);
  });

  it("shows in servers whose creation failed, and not in those that start", async () => {
    const good = await makeServer(t, "good");
    t.cloud.fail({ kind: "action", command: "create_server" });
    const body = { name: "bad", server_type: "cpx22", image: "debian-12", location: "fsn1" };
    const bad = (await t.call("POST", "/servers", body)).body.server.id;
    await t.cloud.settled();
    const entry = (id: number) => ({ type: "server:Server", inputs: {}, id: String(id) });
    const state = stateOf([], [entry(good), entry(bad), entry(4711)]);
    state.deployment!.resources![0]!.urn = "good";
    assert.deepEqual(
      (await brokenServers(state, api)).map((b) => b.why),
      ["its creation ended and left it initializing"],
    );
    Object.assign(state.deployment!.resources![0]!, { initErrors: ["no way"] });
    assert.equal((await brokenServers(state, api))[0]!.why, "its creation failed: no way");
  });
});
