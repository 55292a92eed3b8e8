import { spawnSync } from "node:child_process";
import { leader } from "./container";
import { describe, ensure, kill, remove } from "./machine";
import { MachineError } from "./process";
import type { MachineSpec } from "./plan";
import { listMachines, readRecord } from "./store";

const usage = `usage: tool.cjs VERB
  ensure                   make or repair the machine that GROUNDWORK_MACHINE describes
  ensure --stack STACK     start what does not run of a stack's machines
  delete                   take away the machine that GROUNDWORK_MACHINE describes
  ls [--stack STACK]       the machines, as a table; --json for scripts
  start STACK/NAME         start a machine that exists
  kill STACK/NAME          end a machine as a power cut would
  delete STACK/NAME        take a machine away
  exec STACK/NAME -- COMMAND...
                           run a command inside
A machine can also be named as --stack STACK NAME.`;

/** The machine's description from the environment, where the graph puts it. */
function given(): MachineSpec {
  const text = process.env["GROUNDWORK_MACHINE"];
  if (!text) throw new MachineError("GROUNDWORK_MACHINE is not set");
  return JSON.parse(text) as MachineSpec;
}

function existing(id: string | undefined): MachineSpec {
  const spec = id === undefined ? undefined : readRecord(id);
  if (!spec) {
    throw new MachineError(`there is no machine ${id ?? ""}; there are: ${listMachines().join(", ") || "none"}`);
  }
  return spec;
}

function list(stack: string | undefined, json: boolean): string {
  const machines = listMachines(stack).map(describe);
  if (json) return JSON.stringify(machines, null, 2);
  return machines.map((m) => [m.id, m.address ?? "?", m.running ? "running" : "stopped"].join("  ")).join("\n");
}

function execute(id: string, command: string[]): never {
  const pid = leader(id);
  if (pid === undefined) throw new MachineError(`machine ${id} does not run`);
  const enter = ["--target", String(pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd"];
  const done = spawnSync("nsenter", [...enter, "--", ...command], { stdio: "inherit" });
  process.exit(done.status ?? 1);
}

async function work(args: string[]): Promise<string> {
  // Only in front of the command to run inside, which may have a --stack of its own.
  const at = args.slice(0, 3).indexOf("--stack");
  const stack = at < 0 ? undefined : args.splice(at, 2)[1];
  const [verb, name, ...rest] = args[0] === "exec" ? args : args.filter((arg) => arg !== "--json");
  const id = name !== undefined && stack !== undefined ? `${stack}/${name}` : name;
  switch (verb) {
    case "ensure": {
      if (stack === undefined) return JSON.stringify(await ensure(given()));
      const specs = listMachines(stack).map(readRecord);
      // One at a time would be slow, and a half-made machine without a record is the graph's to repair.
      const made = await Promise.all(specs.flatMap((spec) => (spec ? [ensure(spec)] : [])));
      return JSON.stringify(made);
    }
    case "start":
      return JSON.stringify(await ensure(existing(id)));
    case "delete":
      await remove(id === undefined ? given() : existing(id));
      return "";
    case "kill":
      existing(id);
      await kill(id!);
      return "";
    case "ls":
      return list(stack, args.includes("--json"));
    case "exec":
      existing(id);
      return execute(id!, rest[0] === "--" ? rest.slice(1) : rest);
    default:
      throw new MachineError(usage);
  }
}

/** Entry point: the answer goes to standard output, a failure in one message to standard error. */
export async function main(args: string[]): Promise<void> {
  try {
    const answer = await work(args);
    if (answer) process.stdout.write(answer + "\n");
  } catch (error) {
    process.stderr.write((error instanceof MachineError ? error.message : String((error as Error).stack)) + "\n");
    process.exitCode = 1;
  }
}
