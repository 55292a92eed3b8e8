import * as fs from "node:fs";
import * as path from "node:path";
import { Engine } from "./engine";
import { caFile, kubeconfigFile, root, summaryFile, writeAtomically } from "./paths";
import type { StackReport } from "../stacks/report";
import { UserError } from "./ui";

/** The stacks that the checkout has a file for. */
export const knownStacks = (): string[] =>
  fs.readdirSync(root).flatMap((file) => /^Pulumi\.(.+)\.yaml$/.exec(file)?.[1] ?? []);

/** The stack that a verb works on: `--stack X`, else `dev`. Throws where the checkout has no file for it. */
export function chosenStack(option: string | undefined): string {
  const stack = option ?? process.env["GROUNDWORK_STACK"] ?? "dev";
  if (!fs.existsSync(path.join(root, `Pulumi.${stack}.yaml`))) {
    throw new UserError(
      `there is no stack "${stack}": expected one of ${knownStacks().join(", ")}, or a file Pulumi.${stack}.yaml`,
    );
  }
  return stack;
}

/** Removes what `saveOutputs` wrote. */
export function forgetOutputs(stack: string): void {
  for (const file of [caFile(stack), kubeconfigFile(stack), summaryFile(stack)]) fs.rmSync(file, { force: true });
}

/**
 * Keeps a stack's outputs where the other verbs and people find them: the report without secrets, the CA
 * certificate, and the kubeconfig with mode 0600.
 */
export async function saveOutputs(engine: Engine, stack: string): Promise<StackReport> {
  const outputs = await engine.json<{ report?: StackReport; kubeconfig?: string }>([
    "stack",
    "output",
    "--stack",
    stack,
    "--show-secrets",
  ]);
  if (!outputs.report) throw new UserError(`stack ${stack} has no report yet: run \`npm run up -- --stack ${stack}\``);
  writeAtomically(summaryFile(stack), JSON.stringify(outputs.report, null, 2));
  writeAtomically(caFile(stack), outputs.report.ca);
  if (outputs.kubeconfig) writeAtomically(kubeconfigFile(stack), outputs.kubeconfig, 0o600);
  return outputs.report;
}

/** The report that the last `up` left. */
export function savedReport(stack: string): StackReport {
  if (!fs.existsSync(summaryFile(stack))) {
    throw new UserError(`stack ${stack} is not up: run \`npm run up -- --stack ${stack}\``);
  }
  return JSON.parse(fs.readFileSync(summaryFile(stack), "utf8")) as StackReport;
}
