import * as assert from "node:assert/strict";
import type { Artifact, Artifacts } from "../../artifacts/types";
import { K3sCluster, type ClusterSettings } from "../../components/cluster";
import { noCluster } from "../../components/cluster/rolling";
import { clusterSchema } from "../../components/cluster/settings";
import { makeTarget, targetSchema } from "../../components/host";
import type { Graph, GraphNode } from "../../policies/capture/graph";
import { captureProgram } from "./graph/capture";

const artifact = (name: string): Artifact & { ref: string } => ({
  ...{
    name,
    version: "v1.36.3+k3s1",
    parts: "stand-in" as const,
    path: `/cache/${name}`,
    sha256: "ab".repeat(32),
    size: 1,
  },
  ...{ source: "a test", ref: `docker.io/library/${name}:1@sha256:${"cd".repeat(32)}` },
});
const artifacts: Artifacts = { file: artifact, image: artifact, manifest: artifact, list: () => [] };

interface Shape {
  servers?: number;
  agents?: number;
  reversed?: boolean;
  upgrade?: Partial<ClusterSettings["upgrade"]>;
  /** What the upgrade's gate says of the first server. */
  gate?: string;
}

const upgradeDefaults = clusterSchema.parse({}).upgrade;

/** The graph of a cluster on machines of this computer. */
const capture = ({
  servers = 3,
  agents = 4,
  reversed = false,
  upgrade = {},
  gate = "v1 runs",
}: Shape = {}): Promise<Graph> =>
  captureProgram(
    () => {
      const target = targetSchema.parse({ driver: "nspawn", servers, agents });
      const { hosts } = makeTarget(target, { artifacts });
      new K3sCluster("k3s", {
        ...{ hosts: reversed ? [...hosts].reverse() : hosts, artifacts, upgrade: { ...upgradeDefaults, ...upgrade } },
      });
      return Promise.resolve();
    },
    {
      ...{ project: "groundwork", stack: "dev" },
      mock: ({ type, name }) => {
        if (name.endsWith("-machine")) return { stdout: JSON.stringify({ address: "10.9.0.10", hostKey: "key" }) };
        if (name.endsWith("-gate")) return { stdout: `${gate}\n` };
        return type.startsWith("command:") ? { stdout: "x is Ready\n" } : undefined;
      },
    },
  );

const named = (graph: Graph, name: string): GraphNode =>
  graph.nodes.find((node) => node.custom && node.name === name) ?? assert.fail(`no ${name} in the graph`);
const isAfter = (graph: Graph, later: string, earlier: string): boolean =>
  graph.isAfter(named(graph, later), named(graph, earlier));

describe("the nodes of a cluster in the graph", function () {
  this.timeout(60_000);
  let graph: Graph;
  before(async () => (graph = await capture()));

  it("come up server by server, and then the agents side by side", () => {
    assert.ok(isAfter(graph, "k3s-server-1-install", "k3s-upgrade-gate"));
    assert.ok(isAfter(graph, "k3s-server-2-install", "k3s-server-1-install"));
    assert.ok(isAfter(graph, "k3s-server-3-install", "k3s-server-2-install"));
    for (const agent of ["agent-1", "agent-4"]) assert.ok(isAfter(graph, `k3s-${agent}-install`, "k3s-server-3-ready"));
    assert.ok(!isAfter(graph, "k3s-agent-2-install", "k3s-agent-1-install"));
  });

  it("join a new cluster as soon as there is one: no server waits for another's node, and no agent for all servers", async () => {
    assert.ok(!isAfter(graph, "k3s-server-2-install", "k3s-server-1-ready"));
    const begun = await capture({ gate: noCluster });
    assert.ok(isAfter(begun, "k3s-agent-1-install", "k3s-server-1-install"));
    assert.ok(!isAfter(begun, "k3s-agent-1-install", "k3s-server-2-install"));
    for (const name of ["server-1", "server-2", "server-3"])
      assert.ok(isAfter(begun, "k3s-kubeconfig", `k3s-${name}-ready`));
  });

  it("ask a machine for nothing at their end where there is nothing to take back: it may be gone by then", () => {
    const atEnd = (name: string) => named(graph, name).inputs["delete"] as unknown;
    for (const step of ["install", "upgrade"]) assert.equal(atEnd(`k3s-agent-1-${step}`), undefined, step);
    for (const step of ["images", "member"]) assert.equal(atEnd(`k3s-agent-1-${step}`), "bash -s -- remove", step);
  });

  it("let no server wait for an agent's machine", () => {
    assert.ok(!isAfter(graph, "k3s-server-3-install", "agent-1-machine"));
  });

  it("are upgraded agent by agent, each once the one before is done", () => {
    assert.ok(isAfter(graph, "k3s-agent-2-upgrade", "k3s-agent-1-upgrade"));
    assert.ok(isAfter(graph, "k3s-agent-4-upgrade", "k3s-agent-3-upgrade"));
  });

  it("are upgraded in batches where the settings say so", async () => {
    const pairs = await capture({ upgrade: { batch: 2 } });
    assert.ok(!isAfter(pairs, "k3s-agent-2-upgrade", "k3s-agent-1-upgrade"));
    for (const first of ["agent-1", "agent-2"]) {
      for (const then of ["agent-3", "agent-4"])
        assert.ok(isAfter(pairs, `k3s-${then}-upgrade`, `k3s-${first}-upgrade`));
    }
  });

  it("have their place before K3s is there, kept on another server, and replaced with their machine", () => {
    for (const name of ["server-1", "server-2", "agent-1"]) {
      const member = named(graph, `k3s-${name}-member`);
      assert.ok(isAfter(graph, `k3s-${name}-install`, `k3s-${name}-member`));
      assert.deepEqual(member.propertyDependencies["triggers"], [named(graph, `${name}-machine`).urn]);
      assert.equal(member.deletedWith, named(graph, "k3s-server-token").urn);
      const keeper = name === "server-1" ? "server-2-machine" : "server-1-machine";
      assert.ok(
        member.propertyDependencies["connection"]!.includes(named(graph, keeper).urn) ||
          isAfter(graph, member.name, keeper),
      );
    }
  });

  it("have no place to keep where a server is alone", async () => {
    const alone = await capture({ servers: 1, agents: 0 });
    assert.equal(named(alone, "k3s-server-1-member").inputs["triggers"], undefined);
  });

  it("run their scripts again and replace nothing where something before them changed", () => {
    for (const { name, inputs } of graph.ofType("command:remote:Command")) {
      if (!name.endsWith("-member")) assert.equal(inputs["triggers"], undefined, name);
    }
  });

  it("are the same whatever their order in the settings", async () => {
    const scripts = (of: Graph) =>
      Object.fromEntries(
        of.ofType("command:remote:Command").map(({ name, inputs }) => [name, inputs["stdin"] as string]),
      );
    assert.deepEqual(scripts(await capture({ reversed: true })), scripts(graph));
  });

  it("get packages one after the other where the settings name a day, and else have no such step", async () => {
    assert.ok(!graph.nodes.some(({ name }) => /-patche[sd]$/.test(name)));
    const patched = await capture({ agents: 1, upgrade: { osPatches: "2026-11-21" } });
    assert.ok(isAfter(patched, "k3s-server-1-patches", "k3s-agent-1-upgrade"));
    assert.ok(isAfter(patched, "k3s-server-2-patches", "k3s-server-1-patched"));
    assert.ok(isAfter(patched, "k3s-agent-1-patches", "k3s-server-3-patched"));
  });
});
