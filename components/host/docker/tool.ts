import { spawnSync } from "node:child_process";
import { givenSpec, machineTable, runTool, type ToolLine } from "../tool-line";
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
  return machineTable(machines, json);
}

/** Starts what of a stack's machines does not run; gives their names. */
function startAll(stack: string): string {
  const dead = listContainers(stack)
    .map(describe)
    .filter(({ running }) => !running);
  for (const { container } of dead) docker("start", container);
  return JSON.stringify(dead.map(({ id }) => id));
}

async function work({ verb, stack, id, json, command }: ToolLine): Promise<string> {
  switch (verb) {
    case "ensure":
      return stack === undefined ? JSON.stringify(await ensure(givenSpec<ContainerSpec>())) : startAll(stack);
    case "start":
      docker("start", containerName(existing(id)));
      return "";
    case "delete":
      remove(id === undefined ? givenSpec<ContainerSpec>() : existing(id));
      return "";
    case "kill":
      docker("kill", containerName(existing(id)));
      return "";
    case "ls":
      return list(stack, json);
    case "exec": {
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

/** Entry point. */
export const main = (args: string[]): Promise<void> => runTool(work, args);
