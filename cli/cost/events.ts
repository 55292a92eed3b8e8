import * as fs from "node:fs";
import type { Planned, Resource } from "../../stacks/cost";

/** What the engine's events say of one resource, as it is or as it will be. */
export interface EventState {
  type: string;
  urn: string;
  id?: string;
  inputs?: Record<string, unknown> | null;
  outputs?: Record<string, unknown> | null;
}

/** What the engine does to one resource, or finds of it. */
export interface StepEvent {
  op: string;
  urn: string;
  type: string;
  old?: EventState | null;
  new?: EventState | null;
}

/** The part that is read of an event of the engine's log (`--event-log`, one JSON a line). */
export interface EngineEvent {
  /** Seconds since 1970. */
  timestamp?: number;
  resourcePreEvent?: { metadata: StepEvent };
  resOutputsEvent?: { metadata: StepEvent };
  diagnosticEvent?: { severity: string; message: string };
}

/** Reads an event log; a last line that was cut off when the engine was ended is left out. */
export function readEvents(file: string): EngineEvent[] {
  if (!fs.existsSync(file)) return [];
  return fs
    .readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line): EngineEvent[] => {
      try {
        return line === "" ? [] : [JSON.parse(line) as EngineEvent];
      } catch {
        return [];
      }
    });
}

const nameOf = (urn: string): string => urn.split("::").at(-1)!;

/** What a preview's events say of each resource: as it is in the state, and as it would be. */
export function planOf(events: readonly EngineEvent[]): Planned[] {
  const plan = new Map<string, Planned>();
  for (const { resourcePreEvent } of events) {
    const step = resourcePreEvent?.metadata;
    if (!step || step.op === "read" || step.op === "refresh") continue;
    const planned = plan.get(step.urn) ?? {};
    plan.set(step.urn, planned);
    // A replacement is three steps of one resource; its old state is the same in all of them.
    if (step.old && step.op !== "create") planned.before ??= resource(step.old);
    if (step.new && !step.op.startsWith("delete")) planned.after = resource(step.new);
    if (/replace/.test(step.op)) planned.replaced = true;
  }
  return [...plan.values()];
}

/** A deletion of a former run may still be due beside a new resource of the same name: both are in the state. */
const resource = ({ urn, type, inputs, outputs }: EventState): Resource => ({
  urn,
  type,
  name: nameOf(urn),
  // What the program leaves to the cloud is in the outputs; what a preview does not know yet is in neither.
  inputs: { ...knownOutputs(type, outputs), ...inputs },
});

/** Outputs that say what is paid for and that no input repeats. */
function knownOutputs(type: string, outputs: Record<string, unknown> | null | undefined): Record<string, unknown> {
  const wanted = type.endsWith(":Snapshot") ? ["imageSize"] : ["location", "datacenter", "networkZone", "homeLocation"];
  return Object.fromEntries(wanted.flatMap((key) => (outputs?.[key] === undefined ? [] : [[key, outputs[key]]])));
}
