import * as assert from "node:assert/strict";
import { lostMachines } from "../../../cli/lost-machines";
import { changedFile, changesOf } from "../../../cli/upgrade";
import { NodeObject, nodeState, NodeState, planPackages, planRelease, planText } from "../../../cli/upgrade-plan";
import { clusterSchema } from "../../../components/cluster/settings";

const settings = clusterSchema.parse({}).upgrade;
const at = "v1.36.3+k3s1";
const to = "v1.36.4+k3s1";
const node = (name: string, more: Partial<NodeState> = {}): NodeState => ({
  ...{ name, server: name.startsWith("server"), release: at, ready: true, cordoned: false },
  ...more,
});
const nodes = [
  node("agent-2"),
  node("server-10"),
  node("agent-1"),
  node("server-2"),
  node("agent-3"),
  node("server-1"),
];
const order = (plan: { turns: { nodes: NodeState[] }[] }) =>
  plan.turns.map((turn) => turn.nodes.map(({ name }) => name));

describe("the plan of an upgrade", () => {
  it("takes servers one by one and then agents in batches", () => {
    assert.deepEqual(order(planRelease(nodes, to, { ...settings, batch: 2 })), [
      ...[["server-1"], ["server-2"], ["server-10"]],
      ...[["agent-1", "agent-2"], ["agent-3"]],
    ]);
  });

  it("leaves nodes alone that are there already", () => {
    const plan = planRelease([node("server-1", { release: to }), node("agent-1")], to, settings);
    assert.deepEqual([order(plan), plan.done], [[["agent-1"]], ["server-1"]]);
    assert.match(planText(plan, 2, settings), /there already: server-1/);
  });

  it("has nothing to do where all are there, also where one is not Ready", () => {
    const plan = planRelease([node("server-1", { release: to, ready: false })], to, settings);
    assert.equal(planText(plan, 1, settings), `all 1 nodes have K3s ${to}: nothing to do`);
  });

  it("says what would be refused, and takes no node", () => {
    const skip = planRelease([...nodes, node("old", { release: "v1.34.1+k3s1" })], to, settings);
    assert.deepEqual(order(skip), []);
    assert.match(
      planText(skip, 7, settings),
      /^not to K3s v1\.36\.4\+k3s1:\n {2}the cluster runs v1\.34\.1\+k3s1, and Kubernetes skips no/,
    );
    const sick = planRelease([node("server-1"), node("agent-1", { ready: false })], to, settings);
    assert.deepEqual(sick.problems, ["agent-1 is not Ready: mend or replace it first (docs/runbooks/nodes.md)"]);
  });

  it("says how long it took last time, where that is known of all", () => {
    const known = nodes.map((one, index) => ({ ...one, upgradeSeconds: 10 + index }));
    assert.match(planText(planRelease(known, to, { ...settings, batch: 3 }), 6, settings), /took 53 s last time/);
    assert.match(planText(planRelease(nodes, to, settings), 6, settings), /not known before the first time/);
  });

  it("names the gates, and no draining where there is nowhere to go", () => {
    const text = planText(planRelease(nodes, to, settings), 6, { ...settings, backupCommand: "x" });
    assert.match(
      text,
      /before: no minor version skipped, a snapshot of etcd taken and found, cluster\.upgrade\.backupCommand done/,
    );
    assert.match(
      text,
      /pods moved away within 300 s, as their PodDisruptionBudgets let → K3s replaced → healthy within 300 s, or the old K3s put back/,
    );
    assert.doesNotMatch(planText(planRelease([node("server-1")], to, settings), 1, settings), /moved away/);
  });

  it("patches machines one by one, whose packages are of another day", () => {
    const some = [
      node("server-1", { patchedOn: "2026-11-21", patchSeconds: 30 }),
      node("agent-1"),
      node("agent-2", { patchedOn: "2026-10-01", patchSeconds: 20 }),
    ];
    assert.deepEqual(order(planPackages(some, "2026-11-21")), [["agent-1"], ["agent-2"]]);
  });

  it("reads what nodes say of themselves", () => {
    const object: NodeObject = {
      metadata: {
        name: "server-1",
        labels: { "node-role.kubernetes.io/control-plane": "true" },
        annotations: {
          "groundwork/last-upgrade": `${at} ${to} 48 1795239697`,
          "groundwork/last-patches": "2026-11-21 31 1795239697",
        },
      },
      spec: { unschedulable: true },
      status: { nodeInfo: { kubeletVersion: to }, conditions: [{ type: "Ready", status: "True" }] },
    };
    assert.deepEqual(nodeState(object), {
      ...{ name: "server-1", server: true, release: to, ready: true, cordoned: true },
      ...{ upgradeSeconds: 48, patchSeconds: 31, patchedOn: "2026-11-21" },
    });
  });
});

describe("what an upgrade writes into the stack's file", () => {
  it("is the release or the day, and leaves the rest as it is", () => {
    const text = "# mine\nconfig:\n  groundwork:domain: a.test # why\n  groundwork:cluster:\n    podMaxPids: 99\n";
    assert.equal(
      changedFile(text, [[["version"], to]]),
      `# mine\nconfig:\n  groundwork:domain: a.test # why\n  groundwork:cluster:\n    podMaxPids: 99\n    version: ${to}\n`,
    );
    assert.match(
      changedFile("config:\n  a: b\n", [[["upgrade", "osPatches"], "2026-11-21"]]),
      /upgrade:\n {6}osPatches: "2026-11-21"\n/,
      "the engine's reader makes a point in time of a day without quotes",
    );
  });

  it("stays a text for what reads it", () => {
    assert.match(changedFile("config: {}\n", [[["version"], "1.36"]]), /"1\.36"/);
  });

  it("is refused where it can't be, in one message", () => {
    assert.deepEqual(changesOf({ os: true }, "2026-11-21"), [[["upgrade", "osPatches"], "2026-11-21"]]);
    assert.throws(
      () => changesOf({ to: "latest" }, ""),
      /^Error: latest must be a Kubernetes minor version or a K3s release/,
    );
    assert.throws(() => changesOf({ os: true, to }, ""), /one after the other/);
    assert.throws(() => changesOf({ day: "2026-11-21" }, ""), /--day goes with --os/);
    assert.throws(() => changesOf({ os: true, day: "tomorrow" }, ""), /tomorrow must be a day in quotes/);
  });
});

describe("machines that are gone from this computer", () => {
  const urn = (name: string) =>
    `urn:pulumi:dev::groundwork::groundwork:host:NspawnHost$command:local:Command::${name}-machine`;
  it("are those that the state knows and the computer does not", () => {
    const urns = [
      urn("server-1"),
      urn("agent-1"),
      "urn:pulumi:dev::groundwork::groundwork:host:SshHost$command:local:Command::box-check",
    ];
    assert.deepEqual(lostMachines(urns, "dev", ["dev/server-1", "other/agent-1"]), [
      { name: "agent-1", urn: urn("agent-1") },
    ]);
  });
});
