import * as fs from "node:fs";
import * as path from "node:path";
import { parseDocument } from "yaml";
import { artifactsOf } from "../../stacks/parts";
import type { Settings } from "../../stacks/settings";
import { untilStage } from "../../stacks/stage";
import { ensureArtifacts } from "../artifacts";
import type { Engine } from "../engine";
import { kubeconfigFile, stateFolder, writeAtomically } from "../paths";
import { logFile, step, UserError } from "../ui";

/** What the state knows of everything that runs on a cluster. */
const platform = (stack: string): string => `urn:pulumi:${stack}::groundwork::groundwork:stacks:Platform**`;

/** Runs the engine with a log of its own. @throws UserError with the end of its words */
async function run(
  engine: Engine,
  name: string,
  log: string,
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  await step(
    name,
    async () => {
      const { code, stdout, stderr } = await engine.run(args, { log, env });
      if (code !== 0) {
        const words = `${stdout}\n${stderr}`.trim().split("\n").slice(-25).join("\n");
        throw new UserError(`${words}\n\n${name} did not finish: mend the cause above and run the same command again.`);
      }
    },
    { log },
  );
}

async function ready(engine: Engine, stack: string, settings: Settings): Promise<string> {
  await ensureArtifacts(artifactsOf(settings));
  await engine.releaseStaleLock(stack);
  const config = await engine.prepare(stack);
  await engine.forgetRepeatableCreates(stack);
  return config;
}

const always = ["--skip-preview", "--yes", "--non-interactive", "--suppress-outputs"];

/**
 * Machines with a cluster on them and nothing in it. The policy pack is left to the next run: it judges whole stacks.
 * @param replace machines that are made anew although they are there
 */
export async function upCluster(engine: Engine, stack: string, settings: Settings, replace: string[]): Promise<void> {
  const config = await ready(engine, stack, settings);
  const args = ["up", "--stack", stack, ...always, "--config-file", config];
  // The program does not name them in this run, and they must not be deleted for it: they are the stack's keys.
  args.push("--exclude", platform(stack), ...replace.flatMap((urn) => ["--replace", urn]));
  const log = logFile(`restore-cluster-${stack}`);
  await run(engine, `machines and cluster of ${stack}`, log, args, untilStage("cluster"));
  const outputs = await engine.json<{ kubeconfig?: string }>(["stack", "output", "--stack", stack, "--show-secrets"]);
  if (!outputs.kubeconfig) throw new UserError(`the cluster of ${stack} has no kubeconfig`);
  writeAtomically(kubeconfigFile(stack), outputs.kubeconfig, 0o600);
}

/** The whole stack with nothing that serves, so that nobody reads or writes before the data is there. */
export async function upQuietly(engine: Engine, stack: string, settings: Settings): Promise<void> {
  const config = await ready(engine, stack, settings);
  const quiet = path.join(stateFolder("restore"), `Pulumi.${stack}.yaml`);
  const file = parseDocument(fs.readFileSync(config, "utf8"));
  file.setIn(["config", "groundwork:standby"], { of: stack });
  writeAtomically(quiet, file.toString(), 0o600);
  try {
    const args = engine.defaults(["up", "--stack", stack, ...always], quiet);
    await run(engine, `platform of ${stack}, not serving yet`, logFile(`restore-platform-${stack}`), args);
  } finally {
    fs.rmSync(quiet, { force: true });
  }
}
