import * as fs from "node:fs";
import * as path from "node:path";
import { parseDocument } from "yaml";
import { Choice, decide, Hindrances, leavesChoice, settle } from "../components/host/choice";
import { publishNeeded } from "../components/host/docker/reach";
import { dockerHindrance } from "../components/host/docker/preflight";
import { multipassSilence } from "../components/host/multipass/preflight";
import { MachineError } from "../components/host/nspawn/process";
import { nspawnHindrance } from "../components/host/preflight";
import { StackFile } from "../stacks/settings/stack-file";
import { root, stateDir, writeAtomically } from "./paths";
import { say, UserError } from "./ui";

/** The stack's target as its file has it. */
const givenTarget = (stack: string): unknown => new StackFile(path.join(root, `Pulumi.${stack}.yaml`)).given["target"];

const choiceFile = (stack: string, folder = path.join(stateDir(), "project")): string =>
  path.join(folder, `target-${stack}.json`);

/** What was chosen for the stack when it was made; undefined where nothing was, or it was lost. */
export function keptChoice(stack: string, folder?: string): Choice | undefined {
  try {
    return JSON.parse(fs.readFileSync(choiceFile(stack, folder), "utf8")) as Choice;
  } catch {
    return undefined;
  }
}

/** Keeps the choice with the stack's effective configuration, in the folder of its backend. */
export function keepChoice(stack: string, choice: Choice, folder?: string): void {
  writeAtomically(choiceFile(stack, folder), `${JSON.stringify(choice)}\n`);
}

/** Forgets it, with the stack. */
export const forgetChoice = (stack: string, folder?: string): void =>
  fs.rmSync(choiceFile(stack, folder), { force: true });

/** Whether the stack's file leaves the driver, or how its machines are reached, to the command line. */
export const mustChoose = (stack: string): boolean => leavesChoice(givenTarget(stack));

/** The text of a stack's file with the choice in it; the text as it is where it leaves nothing to choose. */
export function settledText(text: string, choice: Choice | undefined): string {
  const document = parseDocument(text);
  const config = document.toJS() as { config?: Record<string, unknown> } | null;
  const key = ["groundwork:target", "target"].find((name) => config?.config?.[name] !== undefined);
  const target = key === undefined ? undefined : config!.config![key];
  if (key === undefined || choice === undefined || !leavesChoice(target)) return text;
  document.setIn(["config", key], settle(target, choice));
  return document.toString();
}

/** Looks what this computer has. Each is asked once, and only where nothing better was found. */
function hindrances(): Hindrances {
  const found: Hindrances = { nspawn: nspawnHindrance(), docker: "not asked", multipass: "not asked" };
  if (found.nspawn !== undefined) found.docker = dockerHindrance();
  if (found.docker !== undefined && found.nspawn !== undefined) found.multipass = multipassSilence();
  return found;
}

/**
 * What the stack's machines are made with; says so. A stack that exists stays with what it was made with: by what was kept, else by
 * its state.
 * @param former what the stack was made with by its state, where it exists
 * @returns undefined where its settings leave nothing to choose
 */
export async function chooseTarget(
  stack: string,
  former: () => Promise<Choice | undefined>,
  tell: (line: string) => void = say,
): Promise<Choice | undefined> {
  const target = givenTarget(stack);
  const known = keptChoice(stack) ?? (leavesChoice(target) ? await former() : undefined);
  const forced = process.env["GROUNDWORK_DRIVER"];
  try {
    const decided = decide(target, {
      ...{ stack, hindrances, publishNeeded },
      ...(known ? { known } : {}),
      ...(forced ? { forced } : {}),
    });
    if (decided) tell(decided.line);
    return decided?.choice;
  } catch (error) {
    if (error instanceof MachineError) throw new UserError(error.message);
    throw error;
  }
}
