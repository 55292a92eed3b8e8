import type { EngineEvent, EventState, StepEvent } from "../cost/events";
import { noiseReason } from "./noise";

/** One field that is not as the state says. */
export interface Field {
  path: string;
  /** As the state says; undefined where it says nothing. */
  old?: unknown;
  /** As it is; undefined where it is not there. */
  new?: unknown;
}

/** A resource that is not as the state says. */
export interface Drift {
  urn: string;
  type: string;
  name: string;
  /** Id in the cloud or cluster. */
  id?: string;
  /** Whether it is gone altogether. */
  gone: boolean;
  fields: Field[];
  /** Who could have done it. */
  who: string;
}

/** What a look at everything gave. */
export interface DriftReport {
  /** How many resources were looked at. */
  looked: number;
  drifts: Drift[];
  /** Fields that were left out, counted by reason. */
  leftOut: Record<string, number>;
}

/** What the events of a refresh in preview say of everything that was looked at. */
export function driftOf(events: readonly EngineEvent[]): DriftReport {
  const report: DriftReport = { looked: 0, drifts: [], leftOut: {} };
  for (const { resOutputsEvent } of events) {
    const step = resOutputsEvent?.metadata;
    // Components and providers are nothing that could have changed outside.
    if (!step || step.type.startsWith("pulumi:") || !step.old?.id) continue;
    report.looked++;
    const drift = driftOfStep(step, report.leftOut);
    if (drift) report.drifts.push(drift);
  }
  return report;
}

function driftOfStep(step: StepEvent, leftOut: Record<string, number>): Drift | undefined {
  const { urn, type, old, new: now } = step;
  const gone = step.op === "delete" || !now;
  if (!gone && step.op === "same") return undefined;
  const fields = (gone ? [] : compare(old?.outputs ?? {}, now.outputs ?? {})).filter(({ path }) => {
    const reason = noiseReason(type, path);
    if (reason !== undefined) leftOut[reason] = (leftOut[reason] ?? 0) + 1;
    return reason === undefined;
  });
  if (!gone && fields.length === 0) return undefined;
  return { urn, type, name: urn.split("::").at(-1)!, id: old?.id, gone, fields, who: whoCould(type, gone, now) };
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
/** A key as a step of a path: kept readable where it holds dots. */
const stepOf = (path: string, key: string): string => (path === "" ? key : `${path}.${key}`);
const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || value === "" || value === false || JSON.stringify(value) === "[]";

/**
 * The fields in which two values differ, down to the last. Missing, null, empty and false are one thing: providers use them for one
 * another. Lists of plain values are compared as sets, for clouds do not keep an order.
 */
export function compare(old: unknown, now: unknown, path = ""): Field[] {
  // What came or went as a whole is shown by its fields, too: some of them may be noise.
  if ((isMap(old) || isMap(now)) && (isMap(old) || isEmpty(old)) && (isMap(now) || isEmpty(now))) {
    const [a, b] = [isMap(old) ? old : {}, isMap(now) ? now : {}];
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((key) => !key.startsWith("__")).sort();
    return keys.flatMap((key) => compare(a[key], b[key], stepOf(path, key)));
  }
  if (Array.isArray(old) && Array.isArray(now)) {
    const all: unknown[] = [...(old as unknown[]), ...(now as unknown[])];
    if (!all.some((one) => typeof one === "object" && one !== null)) {
      const sorted = (list: unknown[]) => JSON.stringify(list.map(String).sort());
      return sorted(old) === sorted(now) ? [] : [{ path, old, new: now }];
    }
    const length = Math.max(old.length, now.length);
    return Array.from({ length }, (_, i) => compare(old[i], now[i], `${path}[${i}]`)).flat();
  }
  if (JSON.stringify(old) === JSON.stringify(now) || (isEmpty(old) && isEmpty(now))) return [];
  return [{ path, old, new: now }];
}

/** Somebody who can change such things; in a cluster the API server notes who did. */
function whoCould(type: string, gone: boolean, now: EventState | null | undefined): string {
  if (type.startsWith("kubernetes:")) {
    const writers = gone ? [] : managersOf(now);
    if (writers.length > 0) return `written since by ${writers.join(", ")} (metadata.managedFields)`;
    return "somebody or something with rights in the cluster; the API server's audit log names them";
  }
  if (type.startsWith("hcloud:")) {
    const kind = /:(\w+)$/.exec(type)?.[1] ?? "";
    const controllers =
      kind === "LoadBalancer" ? ", or the cloud controller manager" : kind === "Volume" ? ", or the CSI driver" : "";
    return `somebody in the cloud's console or with a token of its project${controllers}; the console's activity log names them`;
  }
  return "somebody with access to what it stands for";
}

interface ManagedField {
  manager?: string;
  operation?: string;
  time?: string;
}

function managersOf(now: EventState | null | undefined): string[] {
  const metadata = now?.outputs?.["metadata"] as { managedFields?: ManagedField[] } | undefined;
  return (metadata?.managedFields ?? [])
    .filter(({ manager }) => manager !== undefined && !/^pulumi/.test(manager))
    .map(({ manager, time }) => `${manager}${time === undefined ? "" : ` at ${time}`}`);
}
