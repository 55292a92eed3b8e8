import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { isLocalDriver, settle } from "../components/host/choice";
import { preflightTarget } from "../components/host/preflight";
import { checkStackFile, Settings } from "../stacks/settings";
import { ensureToolchain } from "./artifacts";
import { Engine } from "./engine";
import { root, stateDir, stateFolder } from "./paths";
import { keptChoice } from "./target";
import { UserError } from "./ui";

/** The engine with everything that it needs on this machine; downloads or builds it the first time. */
export async function openEngine(): Promise<Engine> {
  return new Engine(await ensureToolchain());
}

/**
 * Reads the stack's settings. Throws one error that lists all that is wrong with them.
 * @param choice what makes its machines, where the settings leave that open; the one that was kept with the stack when missing
 */
export function checkSettings(stack: string, choice = keptChoice(stack)): Settings {
  const settled = (target: unknown): unknown => (choice === undefined ? target : settle(target, choice));
  const checked = checkStackFile(path.join(root, `Pulumi.${stack}.yaml`), settled);
  if (checked.problems.length) {
    throw new UserError(
      ["the settings cannot be used:", ...checked.problems.map((problem) => `  ${problem}`)].join("\n"),
    );
  }
  return checked.settings!;
}

/** Looks whether this machine can hold the stack's target. Throws one error that lists all that is missing. */
export async function checkMachine(stack: string, settings: Settings): Promise<void> {
  const problems = await preflightTarget(settings.target, { stack, stateDir: stateDir() });
  if (problems.length) {
    throw new UserError(
      ["this machine cannot run the stack:", ...problems.map((problem) => `  ${problem}`)].join("\n"),
    );
  }
}

/**
 * Starts again the machines of a stack that exist but do not run, as after a restart of this computer. The graph knows them as
 * made, so the engine itself would not look.
 */
export async function reviveMachines(stack: string): Promise<void> {
  const { driver } = checkSettings(stack).target;
  if (!isLocalDriver(driver)) return;
  if (driver === "nspawn" && !fs.existsSync(path.join(stateDir(), "machines", stack))) return;
  const tool = path.join(root, "components", "host", driver, "tool.cjs");
  const done = spawnSync(process.execPath, [tool, "ensure", "--stack", stack], {
    cwd: root,
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
    env: { ...process.env, GROUNDWORK_STATE_DIR: stateFolder() },
  });
  if (done.status !== 0) throw new UserError(`the machines of ${stack} could not be started: ${done.stderr.trim()}`);
}
