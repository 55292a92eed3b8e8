import * as fs from "node:fs";
import * as path from "node:path";
import { parseDocument } from "yaml";
import { untilStage } from "../../stacks/stage";
import type { Engine } from "../engine";
import { kubeconfigFile, stateFolder, writeAtomically } from "../paths";
import { logFile, step, UserError } from "../ui";
import { ready } from "../up";
import { remainingServers } from "./state";

/** What the state knows of everything that runs on a cluster. */
const platform = (stack: string): string => `urn:pulumi:${stack}::groundwork::groundwork:stacks:Platform**`;

const always = ["--skip-preview", "--yes", "--non-interactive", "--suppress-outputs"];

/** Runs the engine with a log of its own. @throws UserError with the end of its words */
async function run(engine: Engine, name: string, log: string, args: string[], env: NodeJS.ProcessEnv = {}) {
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

/**
 * Machines with a cluster on them and nothing in it; machines that a cloud still has are made anew. The policy pack is left to
 * the next run: it judges whole stacks.
 */
export async function upCluster(stack: string): Promise<void> {
  const { engine, config } = await ready(stack, { changes: true });
  const replace = (await remainingServers(engine, stack)).flatMap((urn) => ["--replace", urn]);
  // The program does not name them in this run, and they must not be deleted for it: they are the stack's keys.
  const keep = ["--exclude", platform(stack)];
  const args = ["up", "--stack", stack, ...always, "--config-file", config, ...keep, ...replace];
  await run(
    engine,
    `machines and cluster of ${stack}`,
    logFile(`restore-cluster-${stack}`),
    args,
    untilStage("cluster"),
  );
  const outputs = await engine.json<{ kubeconfig?: string }>(["stack", "output", "--stack", stack, "--show-secrets"]);
  if (!outputs.kubeconfig) throw new UserError(`the cluster of ${stack} has no kubeconfig`);
  writeAtomically(kubeconfigFile(stack), outputs.kubeconfig, 0o600);
}

/**
 * The whole stack with nothing that serves, so that nobody reads or writes before the data is there.
 * @param signal ends the engine in order
 */
export async function upQuietly(stack: string, signal: AbortSignal): Promise<void> {
  const { engine, config } = await ready(stack, { changes: true });
  const quiet = path.join(stateFolder("restore"), `Pulumi.${stack}.yaml`);
  const file = parseDocument(fs.readFileSync(config, "utf8"));
  file.setIn(["config", "groundwork:standby"], { of: stack });
  writeAtomically(quiet, file.toString(), 0o600);
  const stop = (): boolean => engine.kill("SIGINT");
  signal.addEventListener("abort", stop);
  try {
    signal.throwIfAborted();
    const args = engine.defaults(["up", "--stack", stack, ...always], quiet);
    await run(engine, `platform of ${stack}, not serving yet`, logFile(`restore-platform-${stack}`), args);
  } finally {
    signal.removeEventListener("abort", stop);
    fs.rmSync(quiet, { force: true });
  }
}
