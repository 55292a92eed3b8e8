import { spawnSync } from "node:child_process";
import * as path from "node:path";
import { root, stateFolder } from "../paths";
import { UserError } from "../ui";

const tool = path.join(root, "components", "host", "nspawn", "tool.cjs");

function machineTool(...args: string[]): string {
  const done = spawnSync(process.execPath, [tool, ...args], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, GROUNDWORK_STATE_DIR: stateFolder() },
  });
  if (done.status !== 0) throw new UserError(`${args.join(" ")}: ${done.stderr.trim()}`);
  return done.stdout;
}

/** Takes away what is left of a stack's machines on this computer. Returns their names. */
export function removeLocalMachines(stack: string): string[] {
  const machines = JSON.parse(machineTool("ls", "--stack", stack, "--json")) as { id: string }[];
  for (const { id } of machines) machineTool("delete", id);
  return machines.map(({ id }) => id);
}
