import * as assert from "node:assert/strict";
import type { Artifacts } from "../../artifacts/types";
import { makeTarget, rehearseTarget, targetSchema } from "../../components/host";
import { captureProgram } from "./graph/capture";
import type { Graph, GraphNode } from "../../policies/capture/graph";
import { policyViolations } from "./graph/policies";
import * as properties from "./graph/properties";

const settings = {
  driver: "hcloud",
  location: "fsn1",
  servers: { count: 3, type: "cpx32", volume: 20 },
  agents: [{ name: "work", count: 2, type: "cpx42", location: "nbg1", labels: { disk: "fast" } }],
  gateway: { type: "cpx12" },
  firewall: { adminSources: ["198.51.100.0/24"] },
  sshKeys: ["ada"],
};

type Changes = Record<string, unknown>;

async function capture(changes: Changes = {}, options: { protect?: boolean; machines?: boolean } = {}): Promise<Graph> {
  const make = options.machines === false ? rehearseTarget : makeTarget;
  const deps = { artifacts: {} as Artifacts, protect: options.protect ?? true };
  return captureProgram(() => Promise.resolve(void make(targetSchema.parse({ ...settings, ...changes }), deps)), {
    project: "groundwork",
    stack: "prod",
    mock: ({ type, name }) =>
      type.startsWith("command:") && name.endsWith("-boot") ? { stdout: "machine\n" } : undefined,
  });
}

const kind = (name: string) => new RegExp(`^hcloud:index/${name}:`);
const named = (graph: Graph, name: string): GraphNode =>
  graph.nodes.find((node) => node.custom && node.name === name) ?? assert.fail(`no ${name} in the graph`);

describe("a cluster at Hetzner Cloud", function () {
  this.timeout(60_000);
  let graph: Graph;
  before(async () => {
    graph = await capture();
  });

  it("orders three servers, two agents and a gateway, and what they need", () => {
    const counts = Object.fromEntries(
      ["Server", "Network", "NetworkSubnet", "NetworkRoute", "Firewall", "PlacementGroup", "SshKey", "PrimaryIp"]
        .concat(["LoadBalancer", "LoadBalancerNetwork", "LoadBalancerService", "LoadBalancerTarget", "Volume"])
        .map((type) => [type, graph.ofType(new RegExp(`^hcloud:.*:${type}$`)).length]),
    );
    assert.deepEqual(counts, {
      ...{ Server: 6, Network: 1, NetworkSubnet: 1, NetworkRoute: 1, Firewall: 2, PlacementGroup: 2, SshKey: 1 },
      ...{
        PrimaryIp: 2,
        LoadBalancer: 2,
        LoadBalancerNetwork: 2,
        LoadBalancerService: 3,
        LoadBalancerTarget: 2,
        Volume: 3,
      },
    });
  });

  it("says by labels whose everything is and what for", () => {
    const labelled = graph.ofType(
      /^hcloud:.*:(Server|Network|Firewall|PlacementGroup|SshKey|PrimaryIp|LoadBalancer|Volume)$/,
    );
    for (const node of labelled) {
      const { labels } = node.inputs;
      assert.equal(labels["groundwork-stack"], "prod", node.name);
      assert.equal(labels["managed-by"], "groundwork", node.name);
      assert.ok(labels["groundwork-role"], node.name);
      assert.match(node.inputs["name"], /^prod(-[a-z0-9]+)*$/, `${node.name} has a name that can be found again`);
    }
    assert.equal(labelled.length, 19);
  });

  it("goes through one provider, which does not ask twice a second", () => {
    const provider = graph.one("pulumi:providers:hcloud");
    assert.equal(provider.inputs["pollInterval"], "1s");
    const others = graph.ofType(/^hcloud:/).filter((node) => node.provider !== provider.urn);
    assert.deepEqual(
      others.map(({ name }) => name),
      [],
    );
  });

  it("orders machines side by side", () => {
    const servers = graph.ofType(kind("server"));
    for (const one of servers) {
      for (const other of servers)
        assert.ok(one === other || !graph.isAfter(one, other), `${one.name} waits for ${other.name}`);
    }
    const balancers = graph.ofType(kind("loadBalancer"));
    for (const server of servers) {
      for (const balancer of balancers) {
        assert.ok(
          !graph.isAfter(server, balancer) && !graph.isAfter(balancer, server),
          `${server.name}, ${balancer.name}`,
        );
      }
    }
  });

  it("makes machines in the subnet, behind the firewall, and private ones once there is a way out", () => {
    for (const server of graph.ofType(kind("server"))) {
      assert.ok(graph.isAfter(server, named(graph, "hcloud-subnet")), server.name);
      assert.equal(server.inputs["firewallIds"].length, 1, server.name);
      const isGateway = server.name === "hcloud-gateway";
      assert.equal(graph.isAfter(server, named(graph, "hcloud-route")), !isGateway, server.name);
      assert.equal(server.inputs["publicNets"][0].ipv4Enabled, isGateway, server.name);
    }
  });

  it("reaches private machines through the gateway, once that forwards, and not one after the other", () => {
    const forwards = named(graph, "prod-gateway-nat");
    for (const name of ["prod-server-1", "prod-server-3", "prod-work-2"]) {
      const boot = named(graph, `${name}-boot`);
      assert.ok(graph.isAfter(boot, forwards), name);
      assert.equal(boot.inputs["connection"].proxy.host, "192.0.2.10");
      assert.match(boot.inputs["connection"].hostKey, /host-key$/);
      assert.ok(
        !graph.isAfter(boot, named(graph, name === "prod-server-1" ? "hcloud-server-2" : "hcloud-server-1")),
        name,
      );
    }
    assert.equal(named(graph, "prod-gateway-boot").inputs["connection"].proxy, undefined);
    assert.ok(!graph.isAfter(named(graph, "prod-gateway-boot"), named(graph, "hcloud-server-1")));
  });

  it("pins the host key from the first connection on, and shows no secret", () => {
    properties.assertNoLeaks(graph);
    for (const server of graph.ofType(kind("server"))) {
      assert.ok(server.secrets.includes("userData"), server.name);
      assert.match(server.inputs["userData"], /^#cloud-config\n/);
    }
  });

  it("opens SSH and the API to administrators only, and nothing of private machines", () => {
    const rules = named(graph, "hcloud-gateway-firewall").inputs["rules"] as { port?: string; sourceIps: string[] }[];
    assert.deepEqual(
      rules.map(({ port, sourceIps }) => [port, sourceIps]),
      [
        [undefined, ["0.0.0.0/0", "::/0"]],
        ["22", ["198.51.100.0/24"]],
        ["6443", ["198.51.100.0/24"]],
      ],
    );
    assert.deepEqual(named(graph, "hcloud-nodes-firewall").inputs["rules"], []);
  });

  it("keeps the API's balancer in the private network, and finds machines by their labels", () => {
    assert.equal(named(graph, "hcloud-api-network").inputs["enablePublicInterface"], false);
    assert.equal(named(graph, "hcloud-ingress-network").inputs["enablePublicInterface"], true);
    const selector = (name: string) => named(graph, `hcloud-${name}-targets`).inputs["labelSelector"];
    assert.equal(selector("api"), "groundwork-stack=prod,groundwork-role=server");
    assert.equal(selector("ingress"), "groundwork-stack=prod,groundwork-ingress=true");
    assert.equal(named(graph, "hcloud-ingress-port-443").inputs["proxyprotocol"], true);
    assert.equal(named(graph, "hcloud-api-port-6443").inputs["proxyprotocol"], false);
  });

  it("protects what can be lost where the stack is protected, and nothing elsewhere", async () => {
    const able = /^hcloud:.*:(Server|Network|PrimaryIp|LoadBalancer|Volume)$/;
    const state = (of: Graph) => new Set(of.ofType(able).map(({ inputs }) => inputs["deleteProtection"]));
    assert.deepEqual([...state(graph)], [true]);
    assert.ok(graph.ofType(kind("volume")).every(({ protect }) => protect));
    assert.ok(graph.ofType(kind("server")).every(({ inputs }) => inputs["rebuildProtection"] === true));
    const open = await capture({}, { protect: false });
    assert.deepEqual([...state(open)], [false]);
    assert.ok(open.ofType(kind("volume")).every(({ protect }) => !protect));
  });

  it("breaks no policy of production", async () => {
    const found = await policyViolations(graph, { config: { environment: "production" } });
    assert.deepEqual(
      found.map(({ message }) => message),
      [],
    );
  });

  it("names children after their component, and makes nothing in apply", () => {
    properties.assertNames(graph);
    properties.assertNothingInApply(graph);
    properties.assertParents(graph, ["hosts-key", "hcloud", "depot", ...hosts(graph)]);
  });

  it("has no gateway where machines are public, and lets administrators at them", async () => {
    const open = await capture({ privateNodes: false, gateway: undefined });
    assert.equal(open.ofType(kind("server")).length, 5);
    assert.equal(open.ofType(kind("networkRoute")).length, 0);
    assert.equal(open.ofType(kind("primaryIp")).length, 10);
    assert.equal(named(open, "prod-work-1-boot").inputs["connection"].proxy, undefined);
    const ports = (named(open, "hcloud-nodes-firewall").inputs["rules"] as { port?: string }[]).map(({ port }) => port);
    assert.deepEqual(ports, [undefined, "22", "6443", "80", "443"]);
    assert.deepEqual(
      (await policyViolations(open, { config: { environment: "production" } })).map(({ message }) => message),
      [],
    );
  });

  it("takes a snapshot of every machine of the cluster under each name", async () => {
    const taken = (await capture({ snapshots: ["before-1-37"] })).ofType(kind("snapshot"));
    assert.deepEqual(taken.map(({ name }) => name).sort(), [
      ...["hcloud-server-1-snapshot-before-1-37", "hcloud-server-2-snapshot-before-1-37"],
      ...["hcloud-server-3-snapshot-before-1-37", "hcloud-work-1-snapshot-before-1-37"],
      "hcloud-work-2-snapshot-before-1-37",
    ]);
  });

  it("orders the same things in a rehearsal, and connects to nothing", async () => {
    const ordered = (of: Graph) =>
      of
        .ofType(/^(hcloud|tls):/)
        .map(({ urn }) => urn)
        .sort();
    const rehearsed = await capture({}, { machines: false });
    assert.deepEqual(ordered(rehearsed), ordered(graph));
    assert.deepEqual(rehearsed.ofType(/^command:/), []);
  });
});

const hosts = (graph: Graph): string[] =>
  graph.nodes.filter(({ type }) => type === "groundwork:host:HcloudHost").map(({ name }) => name);
