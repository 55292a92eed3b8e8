import type { KubeReader } from "../kube";
import { broken, Finding, reason, well, worrying } from "./finding";

interface Condition {
  type: string;
  status: string;
  message?: string;
}
interface Node {
  metadata: { name: string };
  spec: { unschedulable?: boolean };
  status: { conditions: Condition[] };
}
interface ContainerStatus {
  name: string;
  restartCount: number;
  state?: { waiting?: { reason?: string; message?: string } };
  lastState?: { terminated?: { reason?: string; exitCode: number; finishedAt?: string } };
}
interface Pod {
  metadata: { name: string; namespace: string; creationTimestamp: string };
  status: {
    phase: string;
    conditions?: Condition[];
    containerStatuses?: ContainerStatus[];
    initContainerStatuses?: ContainerStatus[];
  };
}
interface ReplicaSet {
  metadata: { name: string; namespace: string };
  status: { conditions?: Condition[] };
}
interface Claim {
  metadata: { name: string; namespace: string };
  status: { phase: string };
}

/** Seconds after which a pod that is not scheduled or not ready counts as stuck: images are on the nodes already. */
const patience = 120;

/** Nodes, pods, claims and quotas: what most often keeps a platform from running. */
export async function checkCluster(kube: KubeReader, now = new Date()): Promise<Finding[]> {
  try {
    const list = async <T>(path: string): Promise<T[]> => (await kube.get<{ items: T[] }>(path)).items;
    const [nodes, pods, sets, claims] = await Promise.all([
      list<Node>("/api/v1/nodes"),
      list<Pod>("/api/v1/pods"),
      list<ReplicaSet>("/apis/apps/v1/replicasets"),
      list<Claim>("/api/v1/persistentvolumeclaims"),
    ]);
    return [
      ...nodes.map(judgeNode),
      ...summary(
        "pods",
        pods.length,
        pods.flatMap((pod) => judgePod(pod, now)),
      ),
      ...summary("volume claims", claims.length, claims.flatMap(judgeClaim)),
      ...sets.flatMap(judgeSet),
    ];
  } catch (error) {
    return [
      broken(
        "API server",
        `does not answer: ${reason(error)}`,
        "See whether the machine runs (`npm run up` starts machines on this computer again) and whether k3s does: `journalctl -u k3s`.",
        "docs/runbooks/cluster.md",
      ),
    ];
  }
}

/** One line when all is well, else the lines of what is not. */
const summary = (what: string, count: number, wrong: Finding[]): Finding[] =>
  wrong.length > 0 ? wrong : [well(what, `${count} looked at`)];

function judgeNode({ metadata, spec, status }: Node): Finding {
  const check = `node ${metadata.name}`;
  const ready = status.conditions.find(({ type }) => type === "Ready");
  if (ready?.status !== "True") {
    return broken(
      check,
      `not Ready: ${ready?.message ?? "the kubelet never reported"}`,
      "See the machine's k3s service: `journalctl -u k3s`.",
      "docs/runbooks/cluster.md",
    );
  }
  const pressed = status.conditions.filter(({ type, status: on }) => type.endsWith("Pressure") && on === "True");
  if (pressed.length > 0) {
    const names = pressed.map(({ type }) => type).join(", ");
    return broken(check, `${names}: pods are evicted`, "Give the machine more room, or ask for less in the settings.");
  }
  if (spec.unschedulable) return worrying(check, "takes no new pods", "Uncordon it when the work on it is done.");
  return well(check, "Ready");
}

function judgePod({ metadata, status }: Pod, now: Date): Finding[] {
  if (status.phase === "Succeeded") return [];
  const check = `pod ${metadata.namespace}/${metadata.name}`;
  const look = `\`k3s kubectl -n ${metadata.namespace} describe pod ${metadata.name}\``;
  const containers = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
  for (const { name, state, lastState, restartCount } of containers) {
    if (lastState?.terminated?.reason === "OOMKilled") {
      const found = `${name} was killed for memory, ${restartCount} restarts`;
      return [broken(check, found, "Raise its memory in the stack's settings.", "docs/runbooks/cluster.md")];
    }
    if (state?.waiting?.reason === "CrashLoopBackOff") {
      const found = `${name} ends again and again, the last time with exit code ${lastState?.terminated?.exitCode ?? "unknown"}`;
      return [broken(check, found, `See ${look} and the container's log with --previous.`, "docs/runbooks/cluster.md")];
    }
    if (/^(ErrImage|ImagePull|InvalidImage)/.test(state?.waiting?.reason ?? "")) {
      const found = `${name}'s image is not on the node: ${state?.waiting?.message ?? ""}`;
      return [broken(check, found, "Run `npm run up`, which puts the images of the catalogue onto every node.")];
    }
  }
  const age = (now.getTime() - Date.parse(metadata.creationTimestamp)) / 1000;
  const unmet = status.conditions?.find(
    ({ type, status: on }) => (type === "PodScheduled" || type === "Ready") && on !== "True",
  );
  if (age < patience || !unmet) return [];
  const found = `not ${unmet.type === "Ready" ? "ready" : "scheduled"} for ${Math.round(age)} s: ${unmet.message ?? ""}`;
  return [broken(check, found.replace(/: $/, ""), `See ${look}.`, "docs/runbooks/cluster.md")];
}

function judgeClaim({ metadata, status }: Claim): Finding[] {
  if (status.phase === "Bound") return [];
  const check = `volume claim ${metadata.namespace}/${metadata.name}`;
  if (status.phase === "Lost") {
    return [broken(check, "its volume is lost", "Restore it from a backup.", "docs/runbooks/cluster.md")];
  }
  return [worrying(check, "not bound", "It is bound when a pod uses it; if one does, see the storage class.")];
}

/** Pods that the API server refuses: by a quota, by admission, or because the injector is away. */
function judgeSet({ metadata, status }: ReplicaSet): Finding[] {
  const failure = status.conditions?.find(({ type, status: on }) => type === "ReplicaFailure" && on === "True");
  if (!failure) return [];
  return [
    broken(
      `pods of ${metadata.namespace}/${metadata.name}`,
      `refused: ${failure.message ?? "no reason given"}`,
      "Mend what refuses them; a `rollout restart` of the Deployment tries again at once.",
      "docs/runbooks/cluster.md",
    ),
  ];
}
