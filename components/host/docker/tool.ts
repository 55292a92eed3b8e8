import { spawnSync } from "node:child_process";
import { MachineError } from "../nspawn/process";
import { Container, docker, inspect, labels, listContainers } from "./engine";
import { ensure, remove } from "./machine";
import { ContainerSpec, containerName } from "./plan";

const usage = `usage: tool.cjs VERB
  ensure                   make or repair the machine that GROUNDWORK_MACHINE describes
  ensure --stack STACK     start what does not run of a stack's machines
  delete                   take away the machine that GROUNDWORK_MACHINE describes
  ls [--stack STACK]       the machines in the engine, as a table; --json for scripts
  start STACK/NAME         start a machine that exists
  kill STACK/NAME          end a machine as a power cut would
  delete STACK/NAME        take a machine away
  exec STACK/NAME -- COMMAND...
                           run a command inside
A machine can also be named as --stack STACK NAME.`;

/** The machine's description from the environment, where the graph puts it. */
function given(): ContainerSpec {
  const text = process.env["GROUNDWORK_MACHINE"];
  if (!text) throw new MachineError("GROUNDWORK_MACHINE is not set");
  return JSON.parse(text) as ContainerSpec;
}

/** What `ls` tells of a machine. */
function describe(has: Record<string, string>) {
  const of = { stack: has[labels.stack]!, name: has[labels.machine]! };
  const state = inspect<Container>("container", containerName(of))?.State;
  const [address] = JSON.parse(has[labels.fixed] ?? "[]") as string[];
  const id = `${of.stack}/${of.name}`;
  return { id, address, running: state?.Running ?? false, container: containerName(of), owner: has[labels.owner] };
}

function existing(id: string | undefined): { stack: string; name: string } {
  const all = listContainers().map((has) => ({ stack: has[labels.stack]!, name: has[labels.machine]! }));
  const found = all.find(({ stack, name }) => `${stack}/${name}` === id);
  const names = all.map(({ stack, name }) => `${stack}/${name}`).join(", ");
  if (!found) throw new MachineError(`there is no machine ${id ?? ""}; there are: ${names || "none"}`);
  return found;
}

function list(stack: string | undefined, json: boolean): string {
  const machines = listContainers(stack).map(describe);
  if (json) return JSON.stringify(machines, null, 2);
  return machines.map((m) => [m.id, m.address ?? "?", m.running ? "running" : "stopped"].join("  ")).join("\n");
}

/** Starts what of a stack's machines does not run; gives their names. */
function startAll(stack: string): string {
  const dead = listContainers(stack)
    .map(describe)
    .filter(({ running }) => !running);
  for (const { container } of dead) docker("start", container);
  return JSON.stringify(dead.map(({ id }) => id));
}

async function work(args: string[]): Promise<string> {
  // Only in front of the command to run inside, which may have a --stack of its own.
  const at = args.slice(0, 3).indexOf("--stack");
  const stack = at < 0 ? undefined : args.splice(at, 2)[1];
  const [verb, name, ...rest] = args[0] === "exec" ? args : args.filter((arg) => arg !== "--json");
  const id = name !== undefined && stack !== undefined ? `${stack}/${name}` : name;
  switch (verb) {
    case "ensure":
      return stack === undefined ? JSON.stringify(await ensure(given())) : startAll(stack);
    case "start":
      docker("start", containerName(existing(id)));
      return "";
    case "delete":
      remove(id === undefined ? given() : existing(id));
      return "";
    case "kill":
      docker("kill", containerName(existing(id)));
      return "";
    case "ls":
      return list(stack, args.includes("--json"));
    case "exec": {
      const command = rest[0] === "--" ? rest.slice(1) : rest;
      const done = spawnSync("docker", ["exec", "--interactive", containerName(existing(id)), ...command], {
        stdio: "inherit",
      });
      process.exit(done.status ?? 1);
    }
    // The case above does not return.

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
