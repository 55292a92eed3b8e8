import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { preflightTarget } from "../components/host/preflight";
import { checkStackFile, Settings } from "../stacks/settings";
import { ensureToolchain } from "./artifacts";
import { Engine } from "./engine";
import { root, stateDir, stateFolder } from "./paths";
import { UserError } from "./ui";

/** The engine with everything that it needs on this machine; downloads or builds it the first time. */
export async function openEngine(): Promise<Engine> {
  return new Engine(await ensureToolchain());
}

/** Reads the stack's settings. Throws one error that lists all that is wrong with them. */
export function checkSettings(stack: string): Settings {
  const checked = checkStackFile(path.join(root, `Pulumi.${stack}.yaml`));
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
 * Starts again the machines of a stack that exist on disk but do not run, as after a restart of this computer.
 * The graph knows them as made, so the engine itself would not look.
 */
export async function reviveMachines(stack: string): Promise<void> {
  if (!fs.existsSync(path.join(stateDir(), "machines", stack))) return;
  const tool = path.join(root, "components", "host", "nspawn", "tool.cjs");
  const done = spawnSync(process.execPath, [tool, "ensure", "--stack", stack], {
    cwd: root,
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
    env: { ...process.env, GROUNDWORK_STATE_DIR: stateFolder() },
  });
  if (done.status !== 0) throw new UserError(`the machines of ${stack} could not be started: ${done.stderr.trim()}`);
}
