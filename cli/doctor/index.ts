import * as fs from "node:fs";
import type { CertificateStatus } from "../certificates";
import type { Settings } from "../../stacks/settings";
import { KubeReader, openKube } from "../kube";
import { kubeconfigFile } from "../paths";
import { chosenStack, savedReport } from "../stack";
import { readStatus } from "../status";
import { table } from "../ui";
import { checkBackups } from "./backup";
import { checkStandby } from "./standby";
import { checkClocks } from "./clocks";
import { checkCluster } from "./cluster";
import { checkComputer, checkStack } from "./computer";
import { checkMachines } from "./machines";
import { broken, Finding, reason, well, worrying } from "./finding";
import { checkVault } from "./vault";

export type { Finding, Level } from "./finding";

/** Everything that is looked at, from the bottom up: what fails first is usually the cause of what fails below it. */
export async function examine(stack: string): Promise<Finding[]> {
  const { settings, findings } = checkStack(stack);
  const below = [
    ...findings,
    ...checkComputer(),
    ...(settings
      ? [...checkMachines(stack, settings), ...checkBackups(stack, settings), ...checkStandby(stack, settings)]
      : []),
  ];
  if (!settings || !fs.existsSync(kubeconfigFile(stack))) {
    return settings
      ? [...below, broken("stack", `${stack} is not up`, `Run \`npm run up -- --stack ${stack}\`.`)]
      : below;
  }
  const kube = openKube(kubeconfigFile(stack));
  const cluster = await checkCluster(kube);
  if (cluster.some(({ check }) => check === "API server")) return [...below, ...cluster];
  const above = await Promise.all([checkClocks(kube), checkTrust(kube, settings), checkComponents(stack)]);
  return [...below, ...cluster, ...above.flat()];
}

/** What the stack's settings say that there is of Vault. */
async function checkTrust(kube: KubeReader, settings: Settings): Promise<Finding[]> {
  const { vault } = settings;
  return vault.enabled ? checkVault(kube, vault.replicas) : [];
}

/** What `status` shows, as findings. */
async function checkComponents(stack: string): Promise<Finding[]> {
  try {
    const { components, certificates } = await readStatus(savedReport(stack));
    return [
      ...components.map(({ name, ready, proof }) =>
        ready ? well(name, proof) : broken(name, proof, "See the findings above it; `npm run up` makes it again."),
      ),
      ...judgeCertificates(certificates),
    ];
  } catch (error) {
    return [broken("components", reason(error), `Run \`npm run up -- --stack ${stack}\`.`)];
  }
}

/** Certificates that are expired are broken, those that should have been renewed by now are worrying; the rest is counted. */
function judgeCertificates(all: CertificateStatus[]): Finding[] {
  const runbook = "docs/runbooks/certificates.md";
  const wrong = all.filter(({ warning }) => warning !== undefined);
  if (wrong.length === 0) return all.length > 0 ? [well("certificates", `${all.length} are good`)] : [];
  return wrong.map(({ name, warning = "", daysLeft }) =>
    (daysLeft === undefined || daysLeft < 0 ? broken : worrying)(
      `certificate ${name}`,
      warning,
      "See the page.",
      runbook,
    ),
  );
}

const words = { ok: "ok", warn: "WARN", fail: "FAIL" } as const;

/** The findings as people read them: what is well in one table, then each that is not with what to do. */
export function report(findings: Finding[]): string {
  const rows = findings.map(({ check, level, found }) => [words[level], check, found]);
  const wrong = findings.filter(({ level }) => level !== "ok");
  const advice = wrong.map(
    ({ check, found, remedy, runbook }) =>
      `${check}: ${found}\n  ${remedy ?? ""}${runbook ? `\n  see ${runbook}` : ""}`,
  );
  const end = wrong.length === 0 ? "nothing is wrong" : advice.join("\n");
  return `${table(["", "check", "found"], rows)}\n\n${end}`;
}

/** `npm run doctor`: names what is wrong and what to do. Exit code 0 when nothing is broken, else 1. */
export async function doctor(options: { stack?: string; json?: boolean }): Promise<number> {
  const findings = await examine(chosenStack(options.stack));
  process.stdout.write(`${options.json ? JSON.stringify(findings, null, 2) : report(findings)}\n`);
  return findings.some(({ level }) => level === "fail") ? 1 : 0;
}
