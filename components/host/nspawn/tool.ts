import { spawnSync } from "node:child_process";
import { givenSpec, machineTable, runTool, type ToolLine } from "../tool-line";
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

function existing(id: string | undefined): MachineSpec {
  const spec = id === undefined ? undefined : readRecord(id);
  if (!spec) {
    throw new MachineError(`there is no machine ${id ?? ""}; there are: ${listMachines().join(", ") || "none"}`);
  }
  return spec;
}

function list(stack: string | undefined, json: boolean): string {
  const machines = listMachines(stack).map(describe);
  return machineTable(machines, json);
}

function execute(id: string, command: string[]): never {
  const pid = leader(id);
  if (pid === undefined) throw new MachineError(`machine ${id} does not run`);
  const enter = ["--target", String(pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd"];
  const done = spawnSync("nsenter", [...enter, "--", ...command], { stdio: "inherit" });
  process.exit(done.status ?? 1);
}

async function work({ verb, stack, id, json, command }: ToolLine): Promise<string> {
  switch (verb) {
    case "ensure": {
      if (stack === undefined) return JSON.stringify(await ensure(givenSpec<MachineSpec>()));
      const specs = listMachines(stack).map(readRecord);
      // One at a time would be slow, and a half-made machine without a record is the graph's to repair.
      const made = await Promise.all(specs.flatMap((spec) => (spec ? [ensure(spec)] : [])));
      return JSON.stringify(made);
    }
    case "start":
      return JSON.stringify(await ensure(existing(id)));
    case "delete":
      await remove(id === undefined ? givenSpec<MachineSpec>() : existing(id));
      return "";
    case "kill":
      existing(id);
      await kill(id!);
      return "";
    case "ls":
      return list(stack, json);
    case "exec":
      existing(id);
      return execute(id!, command);
    default:
      throw new MachineError(usage);
  }
}

/** Entry point. */
export const main = (args: string[]): Promise<void> => runTool(work, args);
