import * as fs from "node:fs";
import { backupAge, packagesOf, upgradeBackup } from "../components/cluster/rolling";
import { chooseRelease } from "../components/cluster/versions";
import type { Settings } from "../stacks/settings";
import { lastBackup, type LastBackup, storeOf } from "./backup/last";
import { sayTaken, type Taken, takeBackup } from "./backup/take";
import { openKube } from "./kube";
import { kubeconfigFile } from "./paths";
import { duration, say, UserError } from "./ui";
import { NodeObject, NodeState, nodeState } from "./upgrade-plan";
import { openCluster } from "./vault/cluster";

/** What happens to the data before an upgrade, and how it stands with backups now. */
export interface DataGate {
  /**
   * `take`: a backup first, and nothing is upgraded without; `begun`: that was done when this upgrade was begun; `unset`: there is
   * no store, and the settings allow that; `off`: the settings want none; `refuse`: why nothing is upgraded.
   */
  kind: "take" | "begun" | "unset" | "off" | "refuse";
  /** Where it goes: of `take`. */
  place?: string;
  /** The newest whole one, wherever backups would go. */
  last?: LastBackup;
  /** Of `refuse`. */
  problem?: string;
}

/** What is asked of a stack's settings. */
type GateSettings = Pick<Settings, "backup" | "cluster">;

const setStore =
  "set groundwork:backup.store to a folder or a bucket outside the cluster (docs/runbooks/disaster-recovery.md)";

/**
 * Decides by the settings, and by what the store has; takes nothing.
 * @param begun whether nodes are there already: then the gate was passed, and what is broken meanwhile must not hold the rest up
 */
export async function readGate(stack: string, settings: GateSettings, begun: boolean): Promise<DataGate> {
  const wanted = settings.cluster.upgrade.backup;
  if (wanted === "none") return { kind: "off" };
  if (begun) return { kind: "begun" };
  if (settings.backup.store === undefined && wanted === "required") {
    return { kind: "refuse", problem: `cluster.upgrade.backup is required, and there is no store for it: ${setStore}` };
  }
  try {
    const last = await lastBackup(stack, settings);
    const known = last === undefined ? {} : { last };
    if (settings.backup.store === undefined) return { kind: "unset", ...known };
    return { kind: "take", place: storeOf(settings.backup).place, ...known };
  } catch (error) {
    const where = settings.backup.store ?? "the folder of backups";
    return { kind: "refuse", problem: `${where} can't be read, so no backup can be taken first: ${messageOf(error)}` };
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The gate in one line for people, as `--plan` shows it. */
export function gateText({ kind, place, last, problem }: DataGate): string {
  const newest =
    last === undefined ? "there is none yet" : `the last one is ${last.id}, ${duration(last.ageSeconds)} old`;
  const texts: Record<DataGate["kind"], string> = {
    take: `a backup of the data is taken first, into ${place}; ${newest}`,
    begun: "was passed when this upgrade was begun",
    unset: `NO backup of the data is taken: no store is set (groundwork:backup.store), and cluster.upgrade.backup is wanted; ${newest}`,
    off: "NO backup of the data is taken: cluster.upgrade.backup is none",
    refuse: problem ?? "",
  };
  return `data: ${texts[kind]}`;
}

/** What the verbs do to the world at the gate; of its own for tests. */
export interface GateHands {
  take(stack: string): Promise<Taken>;
  /** Notes in the cluster that it was taken, where the gates on the machines look. */
  note(stack: string, value: string): Promise<void>;
}

const hands: GateHands = { take: (stack) => takeBackup(stack), note: noteInCluster };

/** Does what the gate says before an upgrade to these targets. @throws UserError where nothing may be upgraded */
export async function passGate(stack: string, gate: DataGate, targets: string[], by: GateHands = hands): Promise<void> {
  if (gate.kind === "refuse") throw new UserError(`nothing is upgraded: ${gate.problem}`);
  say(gateText(gate));
  if (gate.kind !== "take") return;
  let taken: Taken;
  try {
    taken = await by.take(stack);
  } catch (error) {
    throw new UserError(
      `nothing is upgraded: no backup of ${stack} could be taken (${messageOf(error)}). Mend that (npm run backup -- --stack ${stack} takes one alone), or set cluster.upgrade.backup to none to upgrade without`,
    );
  }
  sayTaken(taken);
  const { id, taken: moment } = taken.summary;
  await by.note(stack, [id, Math.floor(Date.parse(moment) / 1000), ...targets].join(" "));
}

async function noteInCluster(stack: string, value: string): Promise<void> {
  const patch = { metadata: { annotations: { [upgradeBackup]: value } } };
  const cluster = openCluster(kubeconfigFile(stack), stack);
  await cluster.api("PATCH", "/api/v1/namespaces/kube-system", patch, "application/merge-patch+json");
}

/** Whether the note of a backup is of one that was taken before this, and not too long ago. */
export function counts(note: string | undefined, target: string, now = Date.now()): boolean {
  const [, taken, ...targets] = note?.split(" ") ?? [];
  return targets.includes(target) && now / 1000 - Number(taken) <= backupAge;
}

/** What an `up` with these settings would upgrade, and has not begun to: releases and days of packages. */
export function pendingUpgrades(nodes: NodeState[], { version, upgrade }: Settings["cluster"]): string[] {
  if (nodes.length === 0) return [];
  const release = chooseRelease(version);
  const day = upgrade.osPatches;
  return [
    ...(release !== undefined && !nodes.some((node) => node.release === release) ? [release] : []),
    ...(day !== undefined && !nodes.some(({ patchedOn }) => patchedOn === day) ? [packagesOf(day)] : []),
  ];
}

/**
 * The same gate for `up`, whose settings may ask for an upgrade as well. Where the cluster does not answer nothing is decided here:
 * the gate on its first server is asked all the same.
 */
export async function guardUpgrades(stack: string, settings: GateSettings): Promise<void> {
  if (settings.cluster.upgrade.backup === "none" || !fs.existsSync(kubeconfigFile(stack))) return;
  const kube = openKube(kubeconfigFile(stack));
  let nodes: NodeObject[];
  let note: string | undefined;
  try {
    nodes = (await kube.get<{ items: NodeObject[] }>("/api/v1/nodes")).items;
    const system = await kube.get<{ metadata: NodeObject["metadata"] }>("/api/v1/namespaces/kube-system");
    note = system.metadata.annotations?.[upgradeBackup];
  } catch {
    return;
  }
  const targets = pendingUpgrades(nodes.map(nodeState), settings.cluster).filter((target) => !counts(note, target));
  if (targets.length === 0) return;
  say(`this run upgrades to ${targets.join(" and ")}`);
  await passGate(stack, await readGate(stack, settings, false), targets);
}
