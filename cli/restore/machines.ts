import { spawnSync } from "node:child_process";
import * as path from "node:path";
import { isLocalDriver } from "../../components/host/choice";
import { root, stateFolder } from "../paths";
import { UserError } from "../ui";

/** Takes away what is left of a stack's machines on this computer. Returns their names. */
export function removeLocalMachines(stack: string, driver: string): string[] {
  if (!isLocalDriver(driver)) return [];
  const tool = path.join(root, "components", "host", driver, "tool.cjs");
  const run = (...args: string[]): string => {
    const env = { ...process.env, GROUNDWORK_STATE_DIR: stateFolder() };
    const done = spawnSync(process.execPath, [tool, ...args], { cwd: root, encoding: "utf8", env });
    if (done.status !== 0) throw new UserError(`${args.join(" ")}: ${done.stderr.trim()}`);
    return done.stdout;
  };
  const machines = JSON.parse(run("ls", "--stack", stack, "--json")) as { id: string }[];
  for (const { id } of machines) run("delete", id);
  return machines.map(({ id }) => id);
}
