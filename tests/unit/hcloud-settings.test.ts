import * as assert from "node:assert/strict";
import * as fc from "fast-check";
import { parse } from "yaml";
import { targetSchema } from "../../components/host";
import { cloudAccess } from "../../cli/cloud/access";
import { selectorOf } from "../../cli/cloud/orphans";
import { agentOffset } from "../../components/host/hcloud/addresses";
import { bootScript } from "../../components/host/hcloud/boot";
import { hcloudProblems } from "../../components/host/hcloud/checks";
import { cloudConfig } from "../../components/host/hcloud/cloud-config";
import { natRules } from "../../components/host/hcloud/nat";
import { planCloud, prefixOf } from "../../components/host/hcloud/plan";
import { cloudEndpoint } from "../../components/host/hcloud/endpoint";
import { hcloudPreflight, probeHcloud } from "../../components/host/hcloud/preflight";
import type { HcloudSettings } from "../../components/host/hcloud/settings";
import { firewallRules } from "../../components/host/firewall";
import { sshdDropIn } from "../../components/host/sshd";

const valid = {
  driver: "hcloud",
  location: "fsn1",
  servers: { count: 3, type: "cpx32" },
  agents: [{ name: "work", count: 2, type: "cpx42" }],
  gateway: { type: "cpx12" },
  firewall: { adminSources: ["198.51.100.0/24"] },
};

const parsed = (changes: object = {}): HcloudSettings =>
  targetSchema.parse({ ...valid, ...changes }) as unknown as HcloudSettings;

/** One mistake each: what is changed, the path below `target`, a part of the message. */
const mistakes: [what: string, changes: object, path: string, text: RegExp][] = [
  [
    "a network that pods have",
    { network: { cidr: "10.42.0.0/16" } },
    "network.cidr",
    /overlaps 10\.42\.0\.0\/16, the network of the cluster's pods/,
  ],
  [
    "a network that Services have",
    { network: { cidr: "10.43.128.0/17" } },
    "network.cidr",
    /overlaps 10\.43\.0\.0\/16/,
  ],
  ["an address for a network", { network: { cidr: "10.0.0.1/16" } }, "network.cidr", /did you mean 10\.0\.0\.0\/16/],
  ["a public network", { network: { cidr: "198.51.100.0/24" } }, "network.cidr", /Hetzner takes parts of/],
  [
    "a subnet outside",
    { network: { cidr: "10.0.0.0/16", subnet: "10.1.0.0/24" } },
    "network.subnet",
    /not part of network\.cidr/,
  ],
  ["a small network", { network: { cidr: "10.0.0.0/26" } }, "network.cidr", /256 addresses or more/],
  [
    "servers in two zones",
    { servers: { count: 3, type: "cpx32", locations: ["fsn1", "ash"] } },
    "servers.locations.1",
    /us-east, and the network is in eu-central/,
  ],
  [
    "a pool in another zone",
    { agents: [{ name: "far", count: 1, type: "cpx42", location: "sin" }] },
    "agents.0.location",
    /ap-southeast/,
  ],
  [
    "ARM servers",
    { servers: { count: 1, type: "cax21" } },
    "servers.type",
    /ARM, and the artefacts of this checkout are for x86/,
  ],
  ["private machines without a gateway", { gateway: undefined }, "gateway", /private machines need one/],
  ["a gateway for public machines", { privateNodes: false }, "gateway", /nothing to do/],
  [
    "two pools of one name",
    {
      agents: [
        { name: "a", count: 1, type: "cpx42" },
        { name: "a", count: 1, type: "cpx42" },
      ],
    },
    "agents.1.name",
    /as another pool's/,
  ],
  [
    "more than Hetzner spreads",
    { agents: [{ name: "many", count: 11, type: "cpx42" }] },
    "agents.0.count",
    /spreads 10 at most/,
  ],
  [
    "more than a network holds",
    {
      agents: [
        { name: "a", count: 90, type: "cpx42", spread: false },
        { name: "b", count: 10, type: "cpx42" },
      ],
    },
    "agents",
    /Hetzner takes 100/,
  ],
  [
    "administrators from everywhere",
    { firewall: { adminSources: ["0.0.0.0/0"] } },
    "firewall.adminSources.0",
    /everyone could try SSH/,
  ],
];

describe("settings of Hetzner Cloud", () => {
  it("that are right have no problem", () => {
    assert.deepEqual(hcloudProblems(parsed()), []);
    assert.deepEqual(hcloudProblems(parsed({ firewall: { adminSources: ["0.0.0.0/0"], allowAnySource: true } })), []);
    assert.deepEqual(
      hcloudProblems(parsed({ agents: [{ name: "many", count: 11, type: "cpx42", spread: false }] })),
      [],
    );
    // The gateway runs nothing of the catalogue.
    assert.deepEqual(hcloudProblems(parsed({ gateway: { type: "cax11" } })), []);
  });

  for (const [what, changes, at, text] of mistakes) {
    it(`refuse ${what}, in one message`, () => {
      const found = hcloudProblems(parsed(changes));
      assert.deepEqual(
        found.map(({ path }) => path.join(".")),
        [at],
        JSON.stringify(found),
      );
      assert.match(found[0]!.text, text);
    });
  }

  it("refuse an even number of servers, no administrators, and types that are none", () => {
    const refused = (changes: object) => assert.throws(() => parsed(changes), /error|expected|must|Invalid/i);
    refused({ servers: { count: 2, type: "cpx32" } });
    refused({ firewall: {} });
    refused({ servers: { count: 3, type: "m5.large" } });
    refused({ location: "ber1" });
    refused({ agents: [{ name: "server", count: 1, type: "cpx32" }] });
  });

  it("refuse two machines of one address", () => {
    const subnet = "10.0.0.0/24";
    const names = Array.from({ length: 300 }, (_, index) => `p${index}`);
    const places = new Map<number, string>();
    const twin = names.find((name) => {
      const place = agentOffset(subnet, `${name}-1`);
      const taken = places.has(place);
      if (!taken) places.set(place, name);
      return taken;
    })!;
    const first = places.get(agentOffset(subnet, `${twin}-1`))!;
    const agents = [first, twin].map((name) => ({ name, count: 1, type: "cpx42" }));
    const found = hcloudProblems(parsed({ network: { cidr: "10.0.0.0/16", subnet }, agents }));
    assert.deepEqual(
      found.map(({ path }) => path.join(".")),
      ["agents.1.name"],
    );
    assert.match(found[0]!.text, new RegExp(`gives ${twin}-1 the address 10\\.0\\.0\\.\\d+ that ${first}-1 has`));
  });
});

describe("the plan of what is ordered", () => {
  it("gives a machine its name, address and place whatever else there is, in whatever order", () => {
    const pool = fc.record({
      name: fc.stringMatching(/^[a-z]{2,8}$/).filter((name) => !["server", "gateway"].includes(name)),
      count: fc.integer({ min: 0, max: 5 }),
      type: fc.constantFrom("cpx42", "ccx13"),
    });
    const pools = fc.uniqueArray(pool, { selector: ({ name }) => name, maxLength: 5 });
    fc.assert(
      fc.property(pools, fc.nat(), (agents, seed) => {
        const by = (list: typeof agents) =>
          new Map(planCloud(parsed({ agents: list }), "prod").nodes.map((node) => [node.name, JSON.stringify(node)]));
        const all = by(agents);
        const fewer = by([...agents].sort((a, b) => ((a.count * 7 + seed) % 3) - ((b.count * 7 + seed) % 3)).slice(1));
        for (const [name, node] of fewer) assert.equal(node, all.get(name));
      }),
    );
  });

  it("keeps servers apart, in turn where several locations are given", () => {
    const { nodes, groups } = planCloud(
      parsed({ servers: { count: 3, type: "cpx32", locations: ["fsn1", "nbg1"] } }),
      "prod",
    );
    assert.deepEqual(
      nodes.slice(0, 3).map(({ location }) => location),
      ["fsn1", "nbg1", "fsn1"],
    );
    assert.deepEqual(
      nodes.slice(0, 3).map(({ address }) => address),
      ["10.0.1.11", "10.0.1.12", "10.0.1.13"],
    );
    assert.deepEqual(groups, ["prod-server", "prod-work"]);
  });

  it("knows ARM from x86", () => {
    const { nodes, gateway } = planCloud(parsed({ servers: { count: 1, type: "cax21" } }), "prod");
    assert.deepEqual([nodes[0]!.architecture, gateway!.architecture], ["arm", "x86"]);
  });

  it("makes names of any stack's name, and another one of each", () => {
    assert.equal(prefixOf("prod"), "prod");
    assert.equal(prefixOf("prod-eu"), "prod-eu");
    for (const stack of ["Prod.EU", "prod_eu", "2-b", "-", "x".repeat(60), "x".repeat(25)]) {
      assert.match(prefixOf(stack), /^[a-z][a-z0-9-]{0,14}-[0-9a-f]{8}$/, stack);
    }
    const stacks = ["prod-eu", "Prod.EU", "prod_eu", "PROD-EU", "x".repeat(24), "x".repeat(25), "x".repeat(60)];
    assert.equal(new Set(stacks.map(prefixOf)).size, stacks.length);
  });

  it("gives two stacks that begin alike nothing in common that is deleted by", () => {
    const long = "customer-portal-production";
    const stacks = Array.from({ length: 3000 }, (_, index) => `${long}-${index}`);
    assert.ok(stacks.every((stack) => prefixOf(stack).length <= 24));
    assert.equal(new Set(stacks.map(prefixOf)).size, stacks.length, "16 bits would have met here");
    const [one, other] = [selectorOf(`${long}-europe`), selectorOf(`${long}-america`)];
    assert.notEqual(one, other);
    const names = (stack: string) => {
      const { nodes, network, groups, api, ingress } = planCloud(parsed({}), stack);
      return [network.name, ...groups, api.name, ingress.name, api.selector, ...nodes.map(({ name }) => name)];
    };
    const taken = new Set(names(`${long}-europe`));
    assert.deepEqual(
      names(`${long}-america`).filter((name) => taken.has(name)),
      [],
    );
  });

  it("lets no stack's own name be the prefix of another one that was cut", () => {
    const cut = prefixOf("customer-portal-production-europe");
    assert.match(cut, /^customer-portal-[0-9a-f]{8}$/);
    assert.notEqual(prefixOf(cut), cut);
    const own = (stack: string) => prefixOf(stack) === stack;
    fc.assert(fc.property(fc.string({ maxLength: 80 }), (stack) => own(stack) || !own(prefixOf(stack))));
  });
});

describe("where the cloud's API is", () => {
  const given = { endpoint: process.env["HCLOUD_ENDPOINT"], token: process.env["HCLOUD_TOKEN"] };
  const file = { endpoint: "http://127.0.0.1:9/file" };
  afterEach(() => {
    for (const [name, value] of [["HCLOUD_ENDPOINT", given.endpoint] as const, ["HCLOUD_TOKEN", given.token] as const])
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
  });

  it("is said by the environment before the stack's file, and by Hetzner where neither does", () => {
    process.env["HCLOUD_ENDPOINT"] = "http://127.0.0.1:9/emulator";
    assert.equal(cloudEndpoint(file), "http://127.0.0.1:9/emulator");
    for (const unset of ["", undefined]) {
      if (unset === undefined) delete process.env["HCLOUD_ENDPOINT"];
      else process.env["HCLOUD_ENDPOINT"] = unset;
      assert.equal(cloudEndpoint(file), file.endpoint);
      assert.equal(cloudEndpoint({}), undefined);
      assert.equal(cloudEndpoint(undefined), undefined);
    }
  });

  it("is the environment's for all who ask: a rehearsal reaches no address of a file", async () => {
    process.env["HCLOUD_ENDPOINT"] = "http://127.0.0.1:9/emulator";
    process.env["HCLOUD_TOKEN"] = "none";
    assert.match(
      (await probeHcloud(parsed({ ...file }), "prod")).join(),
      /does not answer at http:\/\/127\.0\.0\.1:9\/emulator /,
    );
    assert.deepEqual(await cloudAccess("prod"), { token: "none", endpoint: "http://127.0.0.1:9/emulator" });
  });
});

describe("what a machine at Hetzner gets", () => {
  const hostKey = {
    privateKey: "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
    publicKey: "ssh-ed25519 AAAA",
  };

  it("is as much as the first connection needs, in its user data", () => {
    const text = cloudConfig({ name: "prod-server-1", hostKey, uplink: { cidr: "10.0.0.0/16", gateway: "10.0.0.1" } });
    assert.match(text, /^#cloud-config\n/);
    const config = parse(text) as Record<string, any>;
    assert.equal(config["hostname"], "prod-server-1");
    assert.deepEqual(config["ssh_keys"], { ed25519_private: hostKey.privateKey, ed25519_public: hostKey.publicKey });
    assert.equal(config["package_update"], false);
    assert.equal(config["ssh_pwauth"], false);
    assert.match(config["write_files"][0].content, /default via 10\.0\.0\.1 dev/);
    assert.equal(config["packages"], undefined);
    assert.ok(text.length < 32_768, "Hetzner takes 32 KiB");
    const open = parse(cloudConfig({ name: "a", hostKey })) as Record<string, unknown>;
    assert.deepEqual([open["write_files"], open["runcmd"]], [undefined, undefined]);
  });

  it("never makes a filesystem anew on a volume that has one", () => {
    const script = bootScript({ volume: { device: "/dev/disk/by-id/scsi-0HC_Volume_1", gigabytes: 20 } });
    assert.match(script, /blkid "\$device" > \/dev\/null \|\| mkfs\.ext4/);
    assert.doesNotMatch(script, /mkfs\S* .*-F/);
    assert.doesNotMatch(bootScript({}), /mkfs|ip -4 route/);
  });

  it("as a gateway forwards what the network sends out and administrators send to the API, and nothing else", () => {
    const rules = natRules({ cidr: "10.0.0.0/16", adminSources: ["198.51.100.0/24"], api: "10.0.1.3" });
    assert.match(rules, /hook forward priority filter; policy drop;/);
    const accepts = rules.split("\n").filter((line) => line.includes("accept") && !line.includes("vmap"));
    assert.deepEqual(
      accepts.map((line) => line.trim()),
      ["ip saddr 10.0.0.0/16 ip daddr != 10.0.0.0/16 accept", "ct status dnat ip daddr 10.0.1.3 tcp dport 6443 accept"],
    );
    assert.match(rules, /ip saddr \{ 198\.51\.100\.0\/24 \} tcp dport 6443 dnat ip to 10\.0\.1\.3:6443/);
  });

  it("as a gateway lets connections to other SSH servers through, as any other machine none at all", () => {
    assert.match(sshdDropIn(), /^DisableForwarding yes$/m);
    const gateway = sshdDropIn([], true);
    assert.doesNotMatch(gateway, /DisableForwarding/);
    assert.match(gateway, /^AllowTcpForwarding local$/m);
    assert.match(gateway, /^PermitOpen \*:22$/m);
    const rules = firewallRules({
      machines: ["10.0.0.0/16"],
      adminSources: ["198.51.100.0/24"],
      ports: [],
      ingress: false,
      sshPort: 22,
    });
    assert.doesNotMatch(rules, /\b(80|443)\b/);
  });
});

describe("the check before an order", () => {
  const at = "https://api.hetzner.cloud/v1";
  it("says what is wrong with the token or the way", () => {
    assert.match(hcloudPreflight(false, undefined, at)[0]!, /there is no token/);
    assert.match(hcloudPreflight(true, { status: 401 }, at)[0]!, /refuses the token/);
    assert.match(hcloudPreflight(true, { status: 429 }, at)[0]!, /3,600 requests/);
    assert.match(hcloudPreflight(true, { failure: "connect ECONNREFUSED" }, at)[0]!, /does not answer at https/);
    assert.match(hcloudPreflight(true, { status: 503 }, at)[0]!, /status\.hetzner\.com/);
    assert.deepEqual(hcloudPreflight(true, { status: 200, remaining: 3000 }, at), []);
  });
});
