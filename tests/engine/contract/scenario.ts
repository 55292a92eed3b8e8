/**
 * Scenarios: small programs with edits, run step by step by the real engine against one plugin, and what the engine did and kept
 * after each step in a form in which two plugins can be compared.
 */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import type { EngineEvent, OpMap, Stack } from "@pulumi/pulumi/automation";
import { LocalWorkspace } from "@pulumi/pulumi/automation";
import { type Subject, engineEnv, homeOf } from "./subjects";

/** One step: a program to bring up, or another verb with the last program. */
export interface Step {
  verb: "up" | "preview" | "refresh" | "destroy";
  program: () => void;
  /** Runs before the step, to change the world that the engine looks at. */
  before?: () => void;
}

export interface Scenario {
  name: string;
  steps: Step[];
  /** Properties whose values differ from run to run, by `<resource>.<property>`; their shape is compared instead. */
  volatile?: string[];
}

/** What is kept of one resource after a step. */
export interface Kept {
  type: string;
  id: string;
  inputs: unknown;
  outputs: unknown;
}

export interface Outcome {
  /** Operation by resource name: create, same, update, replace, delete, refresh... Parts of a replacement are left out. */
  ops: Record<string, string>;
  /** Top-level properties that made a resource change, by resource name. */
  diffs: Record<string, string[]>;
  summary: OpMap;
  /** Messages of errors, first line each. */
  errors: string[];
  resources: Record<string, Kept>;
  /** The state as the engine exports it, secrets laid bare. */
  raw: StateResource[];
}

/** A resource of the exported state. */
export interface StateResource {
  urn: string;
  type: string;
  id?: string;
  inputs?: Record<string, unknown>;
  outputs?: Record<string, unknown>;
}

const secretMark = "4dabf18193072939515e22adb298388d";
/** Where all runs of this process keep their files; removed when the process ends. */
export const root = fs.mkdtempSync(path.join(os.tmpdir(), "contract-"));
process.on("exit", () => fs.rmSync(root, { recursive: true, force: true }));

/** A folder for one run that the programs may use; its path is normalised away. */
export function scratch(): string {
  return fs.mkdtempSync(path.join(root, "work-"));
}

/** Runs a scenario against a subject. Steps go on after one that failed, as a user would. */
export async function run(
  subject: Subject,
  scenario: Scenario,
  scrub: (text: string) => string = (t) => t,
): Promise<Outcome[]> {
  const home = homeOf([subject.folder], root);
  const env = engineEnv(home, path.join(home, "state"));
  // The automation API looks for the CLI on this process's own PATH.
  process.env["PATH"] = env["PATH"];
  let program = (): void => undefined;
  const stack = await LocalWorkspace.createOrSelectStack(
    { stackName: "it", projectName: "contract", program: () => Promise.resolve(program()) },
    { envVars: env, pulumiHome: home, workDir: home },
  );
  const out: Outcome[] = [];
  for (const step of scenario.steps) {
    program = step.program;
    step.before?.();
    out.push(await runStep(stack, step, new Set(scenario.volatile ?? []), scrub));
  }
  return out;
}

async function runStep(
  stack: Stack,
  step: Step,
  volatile: Set<string>,
  scrub: (text: string) => string,
): Promise<Outcome> {
  const events: EngineEvent[] = [];
  const errors: string[] = [];
  const opts = { onEvent: (e: EngineEvent) => void events.push(e) };
  try {
    await stack[step.verb](opts);
  } catch {
    for (const e of events) {
      if (e.diagnosticEvent?.severity === "error") errors.push(scrub(plain(e.diagnosticEvent.message)));
    }
    if (errors.length === 0) throw new Error(`${step.verb} failed without a diagnostic`);
  }
  const ops: Record<string, string> = {};
  const diffs: Record<string, string[]> = {};
  let summary: OpMap = {};
  for (const e of events) {
    summary = e.summaryEvent?.resourceChanges ?? summary;
    const m = e.resourcePreEvent?.metadata;
    if (!m || m.type === "pulumi:pulumi:Stack" || m.type.startsWith("pulumi:providers:")) continue;
    const name = m.urn.split("::").at(-1)!;
    if (["create-replacement", "delete-replaced"].includes(m.op)) continue;
    ops[name] = m.op;
    if (m.diffs?.length) diffs[name] = [...m.diffs].sort();
  }
  const deployment = (await stack.exportStack()).deployment as { resources?: StateResource[] };
  const raw = deployment.resources ?? [];
  const resources: Record<string, Kept> = {};
  for (const r of raw) {
    if (r.type === "pulumi:pulumi:Stack" || r.type.startsWith("pulumi:providers:")) continue;
    const name = r.urn.split("::").at(-1)!;
    const clean = (props: Record<string, unknown> = {}): unknown => normalise(props, name, volatile, scrub);
    const id = volatile.has(`${name}.id`) ? shape(r.id) : scrub(r.id ?? "");
    resources[name] = { type: r.type, id: String(id), inputs: clean(r.inputs), outputs: clean(r.outputs) };
  }
  return { ops, diffs, summary, errors, resources, raw };
}

function plain(message: string): string {
  return message
    .replace(/<\{%[^%]*%\}>/g, "")
    .replace(/\u001b\[[0-9;]*m/g, "")
    .trim();
}

/** The shape of a value: its type, and of strings which kinds of characters, so that a key stays a key and a number a number. */
export function shape(v: unknown): unknown {
  if (typeof v !== "string") return Array.isArray(v) ? v.map(shape) : `<${typeof v}>`;
  const pem = /^-----BEGIN ([A-Z ]+)-----/.exec(v);
  if (pem) return `<${pem[1]}>`;
  if (/^\d{4}-\d\d-\d\dT/.test(v)) return "<time>";
  return v === "" ? "" : "<text>";
}

/** Takes away what may differ between two runs or plugins without meaning: internal keys, volatile values, order of keys. */
function normalise(
  props: Record<string, unknown>,
  name: string,
  volatile: Set<string>,
  scrub: (t: string) => string,
): unknown {
  const walk = (v: unknown, dotted: string): unknown => {
    if (Array.isArray(v)) return v.map((e) => walk(e, dotted));
    if (typeof v === "string") return volatile.has(dotted) ? shape(v) : scrub(v);
    if (typeof v !== "object" || v === null) return volatile.has(dotted) ? shape(v) : v;
    const o = v as Record<string, unknown>;
    if (o[secretMark] === "1b47061264138c4ac30d75fd1eb44270") {
      return { secret: walk(JSON.parse(String(o["plaintext"])), dotted) };
    }
    const keys = Object.keys(o).filter((k) => !k.startsWith("__") && o[k] !== null);
    return Object.fromEntries(keys.sort().map((k) => [k, walk(o[k], dotted)]));
  };
  const keys = Object.keys(props).filter((k) => !k.startsWith("__") && props[k] !== null);
  return Object.fromEntries(keys.sort().map((k) => [k, walk(props[k], `${name}.${k}`)]));
}
