import { spawnSync } from "node:child_process";
import { MachineError } from "../nspawn/process";
import { describe, ensure, listAll, listOurs, remove } from "./instance";
import { InstanceSpec, instanceName } from "./plan";

const usage = `usage: tool.cjs VERB
  ensure                   make or repair the machine that GROUNDWORK_MACHINE describes
  ensure --stack STACK     start what does not run of a stack's machines
  delete                   take away the machine that GROUNDWORK_MACHINE describes
  ls [--stack STACK]       our instances, as a table; --json for scripts
  start STACK/NAME         start a machine that exists
  delete STACK/NAME        take a machine away
  exec STACK/NAME -- COMMAND...
                           run a command inside
A machine can also be named as --stack STACK NAME.`;

/** The machine's description from the environment, where the graph puts it. */
function given(): InstanceSpec {
  const text = process.env["GROUNDWORK_MACHINE"];
  if (!text) throw new MachineError("GROUNDWORK_MACHINE is not set");
  return JSON.parse(text) as InstanceSpec;
}

function existing(id: string | undefined): InstanceSpec {
  const all = listOurs();
  const found = all.find(({ stack, name }) => `${stack}/${name}` === id);
  const names = all.map(({ stack, name }) => `${stack}/${name}`).join(", ");
  if (!found) throw new MachineError(`there is no machine ${id ?? ""}; there are: ${names || "none"}`);
  return found;
}

function list(stack: string | undefined, json: boolean): string {
  const ours = listOurs(stack);
  const all = ours.length > 0 ? listAll() : [];
  const machines = ours.map((spec) => describe(spec, all));
  if (json) return JSON.stringify(machines, null, 2);
  return machines.map((m) => [m.id, m.address ?? "?", m.running ? "running" : "stopped"].join("  ")).join("\n");
}

async function work(args: string[]): Promise<string> {
  // Only in front of the command to run inside, which may have a --stack of its own.
  const at = args.slice(0, 3).indexOf("--stack");
  const stack = at < 0 ? undefined : args.splice(at, 2)[1];
  const [verb, name, ...rest] = args[0] === "exec" ? args : args.filter((arg) => arg !== "--json");
  const id = name !== undefined && stack !== undefined ? `${stack}/${name}` : name;
  switch (verb) {
    case "ensure":
      if (stack === undefined) return JSON.stringify(await ensure(given()));
      return JSON.stringify(await Promise.all(listOurs(stack).map(ensure)));
    case "start":
      return JSON.stringify(await ensure(existing(id)));
    case "delete":
      remove(id === undefined ? given() : existing(id));
      return "";
    case "ls":
      return list(stack, args.includes("--json"));
    case "exec": {
      // Multipass's default user may become root without a password.
      const command = ["exec", instanceName(existing(id)), "--", "sudo", ...(rest[0] === "--" ? rest.slice(1) : rest)];
      process.exitCode = spawnSync("multipass", command, { stdio: "inherit" }).status ?? 1;
      return "";
    }
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
