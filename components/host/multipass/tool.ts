import { spawnSync } from "node:child_process";
import { givenSpec, machineTable, runTool, type ToolLine } from "../tool-line";
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
  return machineTable(machines, json);
}

async function work({ verb, stack, id, json, command }: ToolLine): Promise<string> {
  switch (verb) {
    case "ensure":
      if (stack === undefined) return JSON.stringify(await ensure(givenSpec<InstanceSpec>()));
      return JSON.stringify(await Promise.all(listOurs(stack).map(ensure)));
    case "start":
      return JSON.stringify(await ensure(existing(id)));
    case "delete":
      remove(id === undefined ? givenSpec<InstanceSpec>() : existing(id));
      return "";
    case "ls":
      return list(stack, json);
    case "exec": {
      // Multipass's default user may become root without a password.
      const line = ["exec", instanceName(existing(id)), "--", "sudo", ...command];
      process.exitCode = spawnSync("multipass", line, { stdio: "inherit" }).status ?? 1;
      return "";
    }
    default:
      throw new MachineError(usage);
  }
}

/** Entry point. */
export const main = (args: string[]): Promise<void> => runTool(work, args);
