import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { crossCheck } from "./checks";
import { explain } from "./explain";
import type { Problem } from "./problem";
import { type Settings, settingsSchema } from "./slices";
import { StackFile } from "./stack-file";

export { packSettings } from "./policies";
export { type Settings, settingsSchema } from "./slices";

/** What came of reading settings: either they are right, or `problems` says in one line each what is not. */
export interface Checked {
  problems: string[];
  /** Set when there are no problems. */
  settings?: Settings;
}

/** A value that Pulumi keeps encrypted in the file. */
const isEncrypted = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).join() === "secure";

/** Where encrypted values stand, at any depth. */
function encrypted(value: unknown, at: (string | number)[] = []): Problem[] {
  if (isEncrypted(value)) return [{ path: at, at: "key", text: "is encrypted: no setting takes a secret" }];
  if (typeof value !== "object" || value === null) return [];
  const entries = Array.isArray(value) ? value.entries() : Object.entries(value);
  return [...entries].flatMap(([key, inner]) => encrypted(inner, [...at, key]));
}

/** All problems of the given settings: of each value, and between the sections that are right by themselves. */
function check(given: Record<string, unknown>): { problems: Problem[]; settings?: Settings } {
  const secrets = encrypted(given);
  if (secrets.length > 0) return { problems: secrets };
  const parsed = settingsSchema.safeParse(given);
  const sections = Object.entries(settingsSchema.shape).flatMap(([key, schema]) => {
    const { success, data } = schema.safeParse(given[key]);
    return success ? [[key, data]] : [];
  });
  const problems = [
    ...(parsed.success ? [] : explain(parsed.error.issues, settingsSchema, given)),
    ...crossCheck(Object.fromEntries(sections) as Partial<Settings>),
  ];
  return problems.length > 0 ? { problems } : { problems, settings: parsed.data };
}

/**
 * Checks a stack's file before the engine starts. Reads nothing but the file and touches nothing; a file that does not
 * exist is a problem like any other. Values that may be secret are not shown.
 * @param settled puts into the target what the command line has chosen; as it is written when missing
 */
export function checkStackFile(file: string, settled?: (target: unknown) => unknown): Checked {
  const read = new StackFile(file);
  if (settled && "target" in read.given) read.given["target"] = settled(read.given["target"]);
  if (read.problems.length > 0 && Object.keys(read.given).length === 0) return { problems: read.problems };
  const { problems, settings } = check(read.given);
  const lines = [...read.problems, ...read.describe(problems)];
  return lines.length > 0 ? { problems: lines } : { problems: [], settings };
}

/**
 * The stack's settings, from the engine: what the file says and what was set on the command line.
 * @throws pulumi.RunError, which the engine shows without a stack trace, with all that is wrong
 */
export function readSettings(): Settings {
  const config = pulumi.runtime.allConfig();
  const given: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(config)) {
    const name = /^groundwork:(.+)$/.exec(key)?.[1];
    if (name !== undefined) given[name] = isSecret(key) ? { secure: "" } : fromText(name, value);
  }
  const { problems, settings } = check(given);
  if (settings) return settings;
  // The engine tells values, not where they stand; the file is looked at for the lines only.
  const file = new StackFile(path.join(process.cwd(), `Pulumi.${pulumi.getStack()}.yaml`));
  const lines = file.describe(problems).map((line) => `  ${line}`);
  throw new pulumi.RunError(["the settings cannot be used:", ...lines].join("\n"));
}

/** Whether the file keeps the key encrypted; the engine hands it over in plain. The runtime has it without a type. */
const isSecret = (key: string): boolean =>
  (pulumi.runtime as unknown as { isConfigSecret(key: string): boolean }).isConfigSecret(key);

/** The engine hands every value over as a text: JSON for maps, lists, numbers and booleans. */
function fromText(name: string, text: string): unknown {
  const schema = settingsSchema.shape[name as keyof Settings] as unknown as { type?: string } | undefined;
  if (schema?.type === "string") return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
