import { spawn } from "node:child_process";
import { once } from "node:events";
import { pipeline } from "node:stream/promises";
import { MachineError, run, succeeds } from "../nspawn/process";

/** Labels of all that is made in the engine; what lacks them is not ours. */
export const labels = {
  /** Name of the stack. */
  stack: "groundwork.stack",
  /** Name of the machine. */
  machine: "groundwork.machine",
  /** State directory whose stack it is: two checkouts may have stacks of one name, and share an engine. */
  owner: "groundwork.owner",
  /** What can't be changed of a container that exists, as JSON. */
  fixed: "groundwork.fixed",
};

/** Runs a command of the engine's command line to its end and gives its output, without the line's end. */
export const docker = (...args: string[]): string => run("docker", ...args).trimEnd();

/** As {@link docker}, but tells only whether it succeeded. */
export const dockerSucceeds = (...args: string[]): boolean => succeeds("docker", ...args);

/** The engine's description of an object, or undefined when there is none of that name. */
export function inspect<T>(kind: "container" | "network" | "volume" | "image", name: string): T | undefined {
  try {
    return (JSON.parse(docker(kind, "inspect", name)) as T[])[0];
  } catch (error) {
    if (/no such|not found/i.test((error as Error).message)) return undefined;
    throw error;
  }
}

/** Runs a command that reads `input`, and gives its output. */
export async function dockerInput(input: AsyncIterable<unknown>, ...args: string[]): Promise<string> {
  const child = spawn("docker", args, { stdio: ["pipe", "pipe", "pipe"] });
  const told = { out: "", err: "" };
  child.stdout.on("data", (chunk: Buffer) => (told.out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (told.err += chunk.toString()));
  const ended = once(child, "close") as Promise<[number | null]>;
  // A command that fails early closes its input; what it says then is the reason, not the broken pipe.
  const fed = await pipeline(input, child.stdin).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => (error.code === "EPIPE" ? undefined : error),
  );
  const [code] = await ended;
  if (code !== 0)
    throw new MachineError(`docker ${args.slice(0, 2).join(" ")}: ${told.err.trim() || `exit code ${code}`}`);
  if (fed) throw fed;
  return told.out.trimEnd();
}

/** A container as far as it is looked at. */
export interface Container {
  State: { Running: boolean; Status: string; StartedAt: string };
  Config: { Labels: Record<string, string> | null };
  HostConfig: { Memory: number; NanoCpus: number };
  Image: string;
}

/** A network as far as it is looked at. */
export interface Network {
  Labels: Record<string, string> | null;
  IPAM: { Config: { Subnet?: string; Gateway?: string }[] | null };
  Containers: Record<string, unknown> | null;
}

/** Labels of all machines in the engine, or of one stack's. */
export function listContainers(stack?: string): Record<string, string>[] {
  const filter = stack === undefined ? labels.stack : `${labels.stack}=${stack}`;
  const ids = docker("ps", "--all", "--quiet", "--no-trunc", "--filter", `label=${filter}`).split("\n").filter(Boolean);
  if (ids.length === 0) return [];
  return (JSON.parse(docker("container", "inspect", ...ids)) as Container[]).map(({ Config }) => Config.Labels ?? {});
}
