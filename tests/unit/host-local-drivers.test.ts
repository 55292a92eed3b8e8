import * as assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import type { Artifacts } from "../../artifacts/types";
import { makeTarget, type Target, targetSchema } from "../../components/host";
import type { Graph } from "../../policies/capture/graph";
import { captureProgram } from "./graph/capture";

const artifacts = {
  file: () => ({ path: "/cache/rootfs.tar", sha256: "0123456789abcdef0123" }),
} as unknown as Artifacts;

/** The graph of a target's machines, and what the target tells of how they are reached. */
async function capture(settings: object): Promise<{ graph: Graph; target: Target }> {
  let target: Target | undefined;
  const graph = await captureProgram(
    () => Promise.resolve(void (target = makeTarget(targetSchema.parse(settings), { artifacts }))),
    {
      project: "groundwork",
      stack: "dev",
      // What the tools answer; each machine has an address of its own.
      mock: ({ type, name }) => {
        if (type.startsWith("command:remote")) return { stdout: "ready" };
        const [, role, number] = /^(server|agent)-(\d+)-machine$/.exec(name) ?? [];
        if (role === undefined) return undefined;
        const address = `192.0.2.${(role === "agent" ? 20 : 10) + Number(number)}`;
        return { stdout: JSON.stringify({ name: `${role}-${number}`, address, hostKey: `ssh-ed25519 AAAA${name}` }) };
      },
    },
  );
  return { graph, target: target! };
}

const known = <T>(value: pulumi.Input<T>): Promise<T> =>
  new Promise((resolve) => pulumi.output(value).apply((found) => resolve(found as T)));

const baselineOf = (graph: Graph, machine: string): string =>
  String(graph.nodes.find(({ name }) => name === `${machine}-baseline-apply`)?.inputs["stdin"]);

describe("the graph of machines in containers", function () {
  this.timeout(60_000);

  it("reaches them at their own addresses", async () => {
    const { graph, target } = await capture({ driver: "docker", agents: 1, network: { cidr: "10.9.0.0/24" } });
    assert.deepEqual([target.api, target.ingress], [undefined, undefined]);
    assert.deepEqual(
      target.hosts.map(({ name, role, ssh }) => [name, role, ssh.port]),
      [
        ["server-1", "server", 22],
        ["agent-1", "agent", 22],
      ],
    );
    assert.equal(await known(target.hosts[0]!.ssh.host), "10.9.0.10");
    assert.match(baselineOf(graph, "server-1"), /ip saddr \{ 10\.9\.0\.10, 10\.9\.0\.20 \} tcp dport \{ 2379/);
  });

  it("reaches them by ports of this computer, and joins them at their own addresses", async () => {
    const publish = { enabled: true, address: "127.0.0.2" };
    const firewall = { adminSources: ["10.9.0.0/24"] };
    const { graph, target } = await capture({ driver: "docker", network: { cidr: "10.9.0.0/24" }, publish, firewall });
    assert.deepEqual(
      [await known(target.api!.address), await known(target.api!.inside), await known(target.ingress!.address)],
      ["127.0.0.2", "10.9.0.10", "127.0.0.2"],
    );
    assert.deepEqual([await known(target.hosts[0]!.ssh.host), target.hosts[0]!.ssh.port], ["127.0.0.2", 2210]);
    // Who comes by a published port has an address of the engine's; inside, SSH is where it always is.
    assert.match(baselineOf(graph, "server-1"), /ip saddr \{ 0\.0\.0\.0\/0 \} tcp dport \{ 22, 6443 \} accept/);
  });
});

describe("the graph of instances of Multipass", function () {
  this.timeout(60_000);

  it("names in each machine's firewall the addresses of all, which only the instances tell", async () => {
    const { graph, target } = await capture({ driver: "multipass", agents: 2 });
    assert.equal(await known(target.hosts[0]!.address), "192.0.2.11");
    for (const machine of ["server-1", "agent-1", "agent-2"]) {
      assert.match(
        baselineOf(graph, machine),
        /ip saddr \{ 192\.0\.2\.11, 192\.0\.2\.21, 192\.0\.2\.22 \} tcp dport \{ 2379/,
        machine,
      );
      assert.match(baselineOf(graph, machine), /^192\.0\.2\.22 agent-2$/m);
    }
    assert.ok(target.hosts.every(({ machine, artifactMount }) => machine && artifactMount === undefined));
  });
});
