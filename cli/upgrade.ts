import * as fs from "node:fs";
import * as path from "node:path";
import { parseDocument, Scalar } from "yaml";
import { readArguments } from "./arguments";
import { clusterSchema } from "../components/cluster/settings";
import { chooseRelease } from "../components/cluster/versions";
import { openKube } from "./kube";
import { kubeconfigFile, root, writeAtomically } from "./paths";
import { checkSettings } from "./prepare";
import { chosenStack } from "./stack";
import { ask, say, UserError } from "./ui";
import { gateText, passGate, readGate } from "./upgrade-gate";
import { NodeObject, nodeState, planPackages, planRelease, planText, targetOf, UpgradePlan } from "./upgrade-plan";

const usage = `usage: npm run upgrade -- [options]

  --stack NAME   the stack; default dev
  --plan         show what would happen, node by node, and change nothing
  --to VERSION   the K3s release or minor version; else groundwork:cluster.version of the stack's file
  --os           the operating system's packages instead; --day YYYY-MM-DD takes up a run of that day
  --yes          do not ask

Where the stack has a backup store it takes a backup of the data first; cluster.upgrade.backup says whether it may go on without.
It writes what is chosen into the stack's file and runs up. A run that was cut off is taken up by the same command.`;

interface Options {
  stack?: string;
  plan?: boolean;
  to?: string;
  os?: boolean;
  day?: string;
  yes?: boolean;
  help?: boolean;
}

function parse(argv: string[]): Options {
  const options = {
    stack: { type: "string", short: "s" },
    to: { type: "string" },
    day: { type: "string" },
    plan: { type: "boolean" },
    os: { type: "boolean" },
    yes: { type: "boolean", short: "y" },
    help: { type: "boolean", short: "h" },
  } as const;
  return readArguments(usage, { args: argv, options }).values;
}

/** What the options change in the stack's `groundwork:cluster`, as paths in it. Throws one message for what can't be. */
export function changesOf({ to, os, day }: Options, today: string): [string[], string][] {
  if (os && to !== undefined) throw new UserError("--os and --to are two upgrades: one after the other");
  if (day !== undefined && !os) throw new UserError("--day goes with --os");
  const changes: [string[], string][] = os ? [[["upgrade", "osPatches"], day ?? today]] : [];
  if (to !== undefined) changes.push([["version"], to]);
  for (const [keys, value] of changes) {
    const wanted = keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
    const checked = clusterSchema.safeParse(wanted);
    if (!checked.success) throw new UserError(`${value} ${checked.error.issues[0]!.message}`);
  }
  return changes;
}

/** The text of a stack's file with these values below `groundwork:cluster`; comments stay. */
export function changedFile(before: string, changes: [string[], string][]): string {
  const document = parseDocument(before);
  for (const [keys, value] of changes) {
    const text = new Scalar(value);
    // The engine's reader takes a day without quotes for a point in time, which ours does not.
    if (/^\d/.test(value)) text.type = Scalar.QUOTE_DOUBLE;
    document.setIn(["config", "groundwork:cluster", ...keys], text);
  }
  return document.toString({ lineWidth: 0 });
}

/** `npm run upgrade`: shows what would happen, asks, and lets `up` do it. */
export async function upgrade(argv: string[]): Promise<number> {
  const options = parse(argv);
  if (options.help) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  const stack = chosenStack(options.stack);
  const changes = changesOf(options, new Date().toISOString().slice(0, 10));
  const settings = checkSettings(stack);
  const { cluster } = settings;
  const release = chooseRelease(options.to ?? cluster.version);
  if (release === undefined) {
    throw new UserError(
      `the catalogue has no K3s release of Kubernetes ${options.to}: docs/runbooks/upgrade.md says how to add one`,
    );
  }
  const nodes = (await nodesOf(stack)).map(nodeState);
  const plan: UpgradePlan = options.os
    ? planPackages(nodes, changes[0]![1])
    : planRelease(nodes, release, cluster.upgrade);
  const idle = plan.problems.length > 0 || plan.turns.length === 0;
  const gate = idle ? undefined : await readGate(stack, settings, plan.done.length > 0);
  if (gate?.kind === "refuse") plan.problems.push(gate.problem!);
  process.stdout.write(`${planText(plan, nodes.length, cluster.upgrade, gate && gateText(gate))}\n`);
  if (plan.problems.length > 0) return 1;
  if (options.plan || gate === undefined) return 0;
  if (!options.yes && (await ask("Do this now? (yes) ")) !== "yes") throw new UserError("nothing was changed");
  await passGate(stack, gate, [targetOf(plan)]);
  const file = path.join(root, `Pulumi.${stack}.yaml`);
  const before = fs.readFileSync(file, "utf8");
  const after = changes.length > 0 ? changedFile(before, changes) : before;
  if (after !== before) {
    writeAtomically(file, after);
    try {
      checkSettings(stack);
    } catch (error) {
      writeAtomically(file, before);
      throw error;
    }
    say(
      `${path.basename(file)} now says ${changes.map(([keys, value]) => `cluster.${keys.join(".")}: ${value}`).join(", ")}`,
    );
  }
  return (await import("./up")).up({ stack, yes: true });
}

async function nodesOf(stack: string): Promise<NodeObject[]> {
  const kubeconfig = kubeconfigFile(stack);
  if (!fs.existsSync(kubeconfig))
    throw new UserError(`stack ${stack} is not up: run \`npm run up -- --stack ${stack}\``);
  try {
    return (await openKube(kubeconfig).get<{ items: NodeObject[] }>("/api/v1/nodes")).items;
  } catch (error) {
    throw new UserError(
      `the cluster of ${stack} does not answer (${(error as Error).message}): npm run doctor -- --stack ${stack}`,
    );
  }
}
