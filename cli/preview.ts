import * as fs from "node:fs";
import { billOf, pricesOf } from "../stacks/cost";
import { planOf, readEvents } from "./cost/events";
import { costTable } from "./cost/table";
import { stateFolder } from "./paths";
import { chosenStack } from "./stack";
import { say, UserError } from "./ui";
import { ready, type VerbOptions } from "./up";

export interface PreviewOptions extends VerbOptions {
  /** Where to write the bill as JSON, for a pull request's comment. */
  costJson?: string;
}

/** `npm run preview`: what `up` would change, which policy it breaks, and what it costs. */
export async function preview(options: PreviewOptions): Promise<number> {
  const stack = chosenStack(options.stack);
  const { engine, config, settings } = await ready(stack, { changes: false });
  const prices = readPrices(settings.cost);
  const rest = options.rest ?? [];
  const log = eventLog(`preview-${stack}`);
  try {
    const { code } = await engine.run(
      engine.defaults(["preview", "--stack", stack, "--event-log", log, ...rest], config),
      { output: "inherit", env: eventLogEnvironment },
    );
    const bill = billOf(planOf(readEvents(log)), prices);
    if (options.costJson) fs.writeFileSync(options.costJson, `${JSON.stringify({ stack, ...bill }, null, 2)}\n`);
    const text = costTable(bill);
    // With --json standard output is the engine's alone.
    if (text && rest.some((arg) => arg === "--json" || arg === "-j")) say(text);
    else if (text) process.stdout.write(`\n${text}\n`);
    return code === 0 ? 0 : 1;
  } finally {
    fs.rmSync(log, { force: true });
  }
}

/** A stack's prices; a file of its own that is wrong is told before anything runs. */
export function readPrices(cost: Parameters<typeof pricesOf>[0]): ReturnType<typeof pricesOf> {
  try {
    return pricesOf(cost);
  } catch (error) {
    throw new UserError((error as Error).message);
  }
}

/** The engine writes its events to a file only where the commands that are for debugging are on. */
export const eventLogEnvironment = { PULUMI_DEBUG_COMMANDS: "true" };

/** A fresh event log that nobody else reads: it holds inputs of resources, though no secrets. */
export function eventLog(name: string): string {
  const file = `${stateFolder("logs")}/${name}.${process.pid}.events`;
  fs.writeFileSync(file, "", { mode: 0o600 });
  return file;
}
