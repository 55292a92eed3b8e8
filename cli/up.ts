import * as fs from "node:fs";
import { artifactsOf } from "../stacks/parts";
import { ensureArtifacts } from "./artifacts";
import { explainCloudErrors, readErrors } from "./cloud-errors";
import { recoverCloud } from "./cloud/recover";
import { lookAfterServers, tellOfServers } from "./cloud/servers";
import { eventLog, eventLogEnvironment } from "./preview";
import { Engine, type RunOptions, stackOf } from "./engine";
import { replaceLostMachines } from "./lost-machines";
import { chosenStack, saveOutputs } from "./stack";
import type { StackReport } from "../stacks/report";
import type { Settings } from "../stacks/settings";
import { readStatus, Status, statusTable } from "./status";
import { chooseTarget, keepChoice } from "./target";
import { duration, logFile, say, step } from "./ui";
import { guardUpgrades } from "./upgrade-gate";
import { openEngine, reviveMachines, checkMachine, checkSettings } from "./prepare";

export interface VerbOptions {
  stack?: string;
  yes?: boolean;
  /** Further arguments for the engine, after `--`. */
  rest?: string[];
}

/** Whether the verb must not ask: told so, or nobody is there to answer. */
export const silent = (options: VerbOptions): boolean =>
  Boolean(options.yes) || !process.stdin.isTTY || !process.stdout.isTTY;

/** What every verb of the engine needs before it starts. Nothing is changed before the settings were found right. */
export async function ready(
  stack: string,
  what: { changes: boolean },
): Promise<{ engine: Engine; config: string; settings: Settings }> {
  checkSettings(stack);
  const engine = await openEngine();
  const choice = await chooseTarget(stack, () => engine.choiceOf(stack));
  const settings = checkSettings(stack, choice);
  await ensureArtifacts(artifactsOf(settings));
  if (what.changes) await checkMachine(stack, settings);
  await engine.releaseStaleLock(stack);
  if (what.changes && choice) keepChoice(stack, choice);
  const config = await engine.prepare(stack, choice);
  if (what.changes) await engine.forgetRepeatableCreates(stack);
  return { engine, config, settings };
}

/** `npm run up`: makes the stack what the program says, then shows what runs and where. */
export async function up(options: VerbOptions): Promise<number> {
  const stack = chosenStack(options.stack);
  const started = Date.now();
  const { engine, config, settings } = await ready(stack, { changes: true });
  await reviveMachines(stack);
  await guardUpgrades(stack, settings);
  const inCloud = settings.target.driver === "hcloud";
  // Before anything asks the cloud again: what a refresh reads would hide that a creation had failed.
  const halfMade = inCloud ? await recoverCloud(engine, stack, { config, next: "up" }) : [];
  if (inCloud) await lookAfterServers(engine, stack, { config, settings, rest: options.rest ?? [] });
  const kept = process.env["GROUNDWORK_EVENTS"];
  const events = kept ?? (inCloud ? eventLog(`up-${stack}`) : undefined);
  const log = logFile(`up-${stack}`);
  const anew = await replaceLostMachines(engine, stack, settings.target.driver);
  const args = ["up", "--stack", stack, "--suppress-outputs", ...halfMade, ...anew, ...(options.rest ?? [])];
  if (silent(options)) args.push("--yes", "--non-interactive", "--skip-preview");
  if (events) args.push("--event-log", events);
  const run: RunOptions = { output: "inherit", ...(silent(options) ? { log } : {}) };
  // A pipe has no room for the engine's live display, so with a terminal it gets the terminal itself.
  const { code } = await step(
    `bring up ${stack}`,
    () => engine.run(engine.defaults(args, config), { ...run, ...(events ? { env: eventLogEnvironment } : {}) }),
    silent(options) ? { log } : {},
  );
  const errors = events ? readErrors(events) : [];
  if (events && !kept) fs.rmSync(events, { force: true });
  if (code !== 0) {
    for (const line of explainCloudErrors(errors)) say(line);
    for (const line of await tellOfServers(errors, stack, { engine, config })) say(line);
    say(`up of ${stack} did not finish. What was made is kept: mend the cause above and run the same command again.`);
    return 1;
  }
  const status = await settledStatus(await saveOutputs(engine, stack));
  process.stdout.write(`\n${statusTable(status)}\n\n`);
  say(`CA certificate: ${status.ca}`);
  for (const url of Object.values(status.endpoints)) say(`try: curl --cacert ${status.ca} ${url}/items`);
  say(`up in ${duration((Date.now() - started) / 1000)}`);
  return status.components.every((component) => component.ready) ? 0 : 1;
}

/** How long what the graph has made may take to answer again, after a machine was restarted: seconds. */
const settleLimit = 90;

/** The status, once everything is ready or has had its time to become so. */
async function settledStatus(report: StackReport): Promise<Status> {
  const end = Date.now() + settleLimit * 1000;
  for (let told = ""; ;) {
    const status = await readStatus(report);
    const waiting = status.components.filter((component) => !component.ready).map((component) => component.name);
    if (waiting.length === 0 || Date.now() > end) return status;
    if (waiting.join() !== told) say(`waiting for ${waiting.join(", ")}`);
    told = waiting.join();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** `npx pulumi ...`: the user's own command line with the project's defaults. */
export async function pulumi(args: string[]): Promise<number> {
  const engine = await openEngine();
  const stack = stackOf(args);
  let config: string | undefined;
  if (engine.needsProgram(args)) {
    const choice =
      stack &&
      (await chooseTarget(
        chosenStack(stack),
        () => engine.choiceOf(stack),
        () => undefined,
      ));
    const settings = stack ? checkSettings(stack, choice || undefined) : undefined;
    await ensureArtifacts(settings ? artifactsOf(settings) : "all");
    if (stack && choice && args.some((arg) => arg === "up" || arg === "update")) keepChoice(stack, choice);
    if (stack) config = await engine.prepare(stack, choice || undefined);
  }
  const { code } = await engine.run(engine.defaults(args, config), { output: "inherit" });
  return code;
}
