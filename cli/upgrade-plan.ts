import { lastPatches } from "../components/cluster/os";
import { lastUpgrade, packagesOf } from "../components/cluster/rolling";
import type { ClusterSettings } from "../components/cluster/settings";
import { compareReleases, stepProblem } from "../components/cluster/versions";
import { duration, table } from "./ui";

/** A node as the cluster knows it. */
export interface NodeState {
  name: string;
  server: boolean;
  /** K3s release that its kubelet reports. */
  release: string;
  ready: boolean;
  /** Gets no new pods. */
  cordoned: boolean;
  /** Seconds that its last upgrade and its last patches took, and the day of these. */
  upgradeSeconds?: number;
  patchSeconds?: number;
  patchedOn?: string;
}

/** The part of a Node object that a plan needs. */
export interface NodeObject {
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: { unschedulable?: boolean };
  status: { nodeInfo: { kubeletVersion: string }; conditions?: { type: string; status: string }[] };
}

/** What a Node object says that a plan needs. */
export function nodeState({ metadata, spec, status }: NodeObject): NodeState {
  const [, , upgradeSeconds] = metadata.annotations?.[lastUpgrade]?.split(" ") ?? [];
  const [patchedOn, patchSeconds] = metadata.annotations?.[lastPatches]?.split(" ") ?? [];
  return {
    name: metadata.name,
    server: metadata.labels?.["node-role.kubernetes.io/control-plane"] === "true",
    release: status.nodeInfo.kubeletVersion,
    ready: status.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") ?? false,
    cordoned: spec.unschedulable === true,
    ...(upgradeSeconds === undefined ? {} : { upgradeSeconds: Number(upgradeSeconds) }),
    ...(patchSeconds === undefined ? {} : { patchSeconds: Number(patchSeconds), patchedOn }),
  };
}

/** A group of nodes that are taken at once. */
export interface Turn {
  nodes: NodeState[];
  /** Seconds that the slowest of them took last time, where that is known of all. */
  seconds?: number;
}

export interface UpgradePlan {
  kind: "release" | "packages";
  /** The release, or the day. */
  to: string;
  /** Why it would be refused; then there are no turns. */
  problems: string[];
  turns: Turn[];
  /** Nodes that are there already. */
  done: string[];
}

const inOrder = (nodes: NodeState[]): NodeState[] =>
  [...nodes].sort(
    (a, b) => Number(b.server) - Number(a.server) || a.name.localeCompare(b.name, "en", { numeric: true }),
  );

const turn = (nodes: NodeState[], seconds: (node: NodeState) => number | undefined): Turn => {
  const all = nodes.map(seconds);
  return { nodes, ...(all.every((one) => one !== undefined) ? { seconds: Math.max(...all) } : {}) };
};

const sickness = (nodes: NodeState[]): string[] =>
  nodes
    .filter(({ ready }) => !ready)
    .map(({ name }) => `${name} is not Ready: mend or replace it first (docs/runbooks/nodes.md)`);

/** Which nodes are taken to a release, in which order: servers one by one, then agents in batches. */
export function planRelease(nodes: NodeState[], to: string, { batch }: ClusterSettings["upgrade"]): UpgradePlan {
  const late = inOrder(nodes.filter(({ release }) => release !== to));
  const steps = [...new Set(late.map(({ release }) => release))].sort(compareReleases);
  const problems = [
    ...steps.flatMap((from) => stepProblem(from, to) ?? []),
    ...(late.length > 0 ? sickness(nodes) : []),
  ];
  const agents = late.filter(({ server }) => !server);
  const batches = agents.flatMap((_, index) => (index % batch === 0 ? [agents.slice(index, index + batch)] : []));
  const groups = [...late.filter(({ server }) => server).map((one) => [one]), ...batches];
  return {
    ...{ kind: "release", to, problems },
    turns: problems.length > 0 ? [] : groups.map((group) => turn(group, ({ upgradeSeconds }) => upgradeSeconds)),
    done: nodes.filter(({ release }) => release === to).map(({ name }) => name),
  };
}

/** Which nodes get the operating system's packages of a day, one after the other. */
export function planPackages(nodes: NodeState[], day: string): UpgradePlan {
  const late = inOrder(nodes.filter(({ patchedOn }) => patchedOn !== day));
  const problems = late.length > 0 ? sickness(nodes) : [];
  return {
    ...{ kind: "packages", to: day, problems },
    turns: problems.length > 0 ? [] : late.map((one) => turn([one], ({ patchSeconds }) => patchSeconds)),
    done: nodes.filter(({ patchedOn }) => patchedOn === day).map(({ name }) => name),
  };
}

/** What the plan is about, as the gates on the machines call it. */
export const targetOf = ({ kind, to }: UpgradePlan): string => (kind === "release" ? to : packagesOf(to));

/** The plan as people read it. @param data what happens to the data before, in one line */
export function planText(
  plan: UpgradePlan,
  count: number,
  settings: ClusterSettings["upgrade"],
  data?: string,
): string {
  const what = plan.kind === "release" ? `K3s ${plan.to}` : `the packages of ${plan.to}`;
  if (plan.problems.length > 0) return [`not to ${what}:`, ...plan.problems.map((one) => `  ${one}`)].join("\n");
  if (plan.turns.length === 0) return `all ${count} nodes have ${what}: nothing to do`;
  const moves = settings.drain && count > 1;
  const rows = plan.turns.flatMap(({ nodes, seconds }, index) =>
    nodes.map((node) => [
      String(index + 1),
      node.name,
      node.server ? "server" : "agent",
      plan.kind === "release" ? node.release : (node.patchedOn ?? "never"),
      plan.to,
      node.cordoned ? "begun before" : "",
      seconds === undefined ? "not known" : duration(seconds),
    ]),
  );
  const known = plan.turns.flatMap(({ seconds }) => seconds ?? []);
  const sum = known.reduce((total, one) => total + one, 0);
  const gate =
    plan.kind === "release"
      ? [
          "before: no minor version skipped, a snapshot of etcd taken and found" +
            (settings.backupCommand === undefined ? "" : ", cluster.upgrade.backupCommand done"),
        ]
      : [];
  return [
    table(["turn", "node", "role", "from", "to", "", "last time"], rows),
    "",
    ...gate,
    ...(data === undefined ? [] : [data]),
    `each: ${[
      "a majority of servers answers",
      ...(moves ? [`pods moved away within ${settings.drainTimeout} s, as their PodDisruptionBudgets let`] : []),
      plan.kind === "release"
        ? "K3s replaced"
        : `packages${settings.reboot === "never" ? "" : ", restart if they ask for it"}`,
      `healthy within ${settings.healthTimeout} s${plan.kind === "release" ? ", or the old K3s put back" : ""}`,
      "back in service",
    ].join(" → ")}`,
    ...(plan.done.length > 0 ? [`there already: ${plan.done.join(", ")}`] : []),
    known.length === plan.turns.length
      ? `took ${duration(sum)} last time`
      : "how long it takes is not known before the first time",
  ].join("\n");
}
