import { prefixOf } from "../../components/host/hcloud/plan";
import { itemsOf, type Prices, round } from "../../stacks/cost";
import { table } from "../ui";
import { money } from "../cost/table";
import type { CloudApi } from "./api";
import { type AnyObject, deleteObject, type Kind, kindNamed, kinds, resourceOf } from "./kinds";
import type { ClusterRecord } from "./record";

/** What selects the stack's objects by the label that they carry. */
export const selectorOf = (stack: string): string => `groundwork-stack=${prefixOf(stack)}`;
/** The label with which the cloud controller manager says whose Service a balancer is for. */
export const serviceLabel = "hcloud-ccm/service-uid";

/** What is known of a stack apart from the cloud. */
export interface Known {
  stack: string;
  /** Ids of what the state holds, by the type of the resource. Empty once the stack is gone. */
  inState: ReadonlyMap<string, ReadonlySet<string>>;
  record?: ClusterRecord;
  /** What the cluster that runs now uses; undefined where it can't be asked. */
  live?: { services: ReadonlySet<string>; volumes: ReadonlySet<number> };
}

/** Something that the stack left in the cloud. */
export interface Orphan {
  kind: Kind;
  object: AnyObject;
  /** Why it is the stack's. */
  why: string;
  /** The cluster made it, and it was not to be kept. */
  ofCluster: boolean;
  /** A claim asked to keep it (reclaim policy Retain). */
  retained: boolean;
  /** A month, net; undefined where there is no price. Free things cost 0. */
  monthly?: number;
}

/**
 * Looks for what the stack left: objects with its label that its state does not hold, and what its cluster made. A balancer is the
 * cluster's by the Service's UID that was recorded, or by the stack's network that it is in; a volume by the stack's label, or by the id
 * that was recorded. What has neither is not looked at.
 */
export async function findOrphans(api: CloudApi, known: Known, prices: Prices): Promise<Orphan[]> {
  const { stack, inState, record, live } = known;
  const labelled = { label_selector: selectorOf(stack) };
  const found: Orphan[] = [];
  const networks = new Set(record?.networks ?? []);
  for (const { id } of await api.list("/networks", "networks", labelled)) networks.add(id);
  // While the state still has servers there is a cluster, and what it made is in use unless it says otherwise.
  const clusterUp = (inState.get(kindNamed("server").type)?.size ?? 0) > 0;
  const volumes = new Map((record?.volumes ?? []).map((volume) => [volume.id, volume]));

  for (const kind of kinds) {
    const objects = new Map<number, { object: AnyObject; why: string; ofCluster: boolean }>();
    for (const object of await api.list<AnyObject>(kind.path, kind.key, { ...kind.query, ...labelled })) {
      const ofCluster = object.labels?.["managed-by"] === "csi-driver";
      objects.set(object.id, { object, why: `label ${selectorOf(stack)}`, ofCluster });
    }
    if (kind.name === "load balancer") {
      for (const object of await api.list<AnyObject>(kind.path, kind.key, { label_selector: serviceLabel })) {
        const uid = object.labels?.[serviceLabel] ?? "";
        const recorded = record?.services.includes(uid);
        const inNetwork = object.private_net?.some(({ network }) => networks.has(network));
        if (!recorded && !inNetwork && !objects.has(object.id)) continue;
        const why = recorded
          ? `Service ${uid} of the cluster`
          : inNetwork
            ? "in the stack's network"
            : "the stack's label";
        objects.set(object.id, { object, why: `${why}, made by the cloud controller manager`, ofCluster: true });
      }
    }
    if (kind.name === "volume" && volumes.size > 0) {
      for (const object of await api.list<AnyObject>(kind.path, kind.key, {
        label_selector: "managed-by=csi-driver",
      })) {
        const claim = volumes.get(object.id)?.claim;
        if (claim) objects.set(object.id, { object, why: `claim ${claim} of the cluster`, ofCluster: true });
      }
    }
    for (const { object, why, ofCluster } of objects.values()) {
      if (inState.get(kind.type)?.has(String(object.id))) continue;
      if (ofCluster && clusterUp && (!live || isUsed(kind, object, live))) continue;
      const retained = volumes.get(object.id)?.retain ?? false;
      found.push({ kind, object, why, ofCluster: ofCluster && !retained, retained: ofCluster && retained });
    }
  }
  return found.map((orphan) => ({ ...orphan, monthly: priceOf(orphan, found, prices) }));
}

function isUsed(kind: Kind, { id, labels }: AnyObject, live: NonNullable<Known["live"]>): boolean {
  return kind.name === "volume" ? live.volumes.has(id) : live.services.has(labels?.[serviceLabel] ?? "");
}

function priceOf({ kind, object }: Orphan, all: readonly Orphan[], prices: Prices): number | undefined {
  const address = object.public_net?.ipv4;
  const listed = all.some((other) => other.kind.name === "primary IP" && other.object.id === address?.id);
  const items = itemsOf(resourceOf(kind, object, Boolean(address) && !listed), prices);
  if (items.some(({ monthly }) => monthly === undefined)) return undefined;
  return round(items.reduce((total, { monthly = 0 }) => total + monthly, 0));
}

/** What was found, with its price a month; one line where it is nothing. */
export function orphanTable(stack: string, orphans: readonly Orphan[], { currency, date }: Prices): string {
  if (orphans.length === 0) return `nothing of stack ${stack} is left in the cloud`;
  const rows = orphans.map(({ kind, object, why, monthly, retained }) => [
    kind.name,
    object.name || object.description || "",
    String(object.id),
    object.created ?? "",
    monthly === undefined ? "no price" : money(currency, monthly),
    retained ? `${why}; the claim asked to keep it` : why,
  ]);
  const total = orphans.reduce((sum, { monthly = 0 }) => sum + monthly, 0);
  return [
    `${orphans.length} object${orphans.length === 1 ? "" : "s"} of stack ${stack} still in the cloud:`,
    table(["kind", "name", "id", "made", "a month", "why it is the stack's"], rows),
    `together ${money(currency, round(total))} a month, net, by the prices of ${date}`,
  ].join("\n");
}

/** Deletes what was found, in the order in which the cloud allows it. Gives what could not be deleted, with the reason. */
export async function deleteOrphans(
  api: CloudApi,
  orphans: readonly Orphan[],
  tell: (line: string) => void = () => undefined,
): Promise<{ orphan: Orphan; error: string }[]> {
  const failed: { orphan: Orphan; error: string }[] = [];
  for (const kind of kinds) {
    for (const orphan of orphans.filter((one) => one.kind.name === kind.name)) {
      try {
        await deleteObject(api, kind, orphan.object);
        tell(`deleted ${kind.name} ${orphan.object.name} (${orphan.object.id})`);
      } catch (error) {
        failed.push({ orphan, error: (error as Error).message });
      }
    }
  }
  return failed;
}
