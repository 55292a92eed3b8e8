import type { StackReport } from "../../stacks/report";
import type { Manifest } from "../backup/manifest";
import { servesRow } from "../backup/parts/row";
import { vaultDifferences } from "../backup/parts/vault";
import { readStatus } from "../status";
import { say, UserError } from "../ui";
import type { AdminCluster } from "../vault/cluster";

/**
 * Asks the restored stack, from outside, for what the backup says it had. Rows were compared when they were put back, while
 * nobody could change them. @throws UserError with all that is missing
 */
export async function prove(cluster: AdminCluster, report: StackReport, manifest: Manifest): Promise<void> {
  const wrong = [
    ...(await proveVault(cluster, manifest)),
    ...(await proveStack(report)),
    ...(await proveApi(report, manifest)),
  ];
  if (wrong.length > 0)
    throw new UserError(["the restore is not proved:", ...wrong.map((line) => `  ${line}`)].join("\n"));
}

/** One line for each thing that Vault has not. */
export async function proveVault(cluster: AdminCluster, { vault }: Manifest): Promise<string[]> {
  if (!vault) return [];
  const wrong = await vaultDifferences(cluster, vault);
  if (wrong.length === 0)
    say(`proved: Vault has its root authority and ${vault.value?.path ?? "its mounts"} as they were`);
  return wrong;
}

async function proveStack(report: StackReport): Promise<string[]> {
  const { components, certificates } = await readStatus(report);
  const wrong = [
    ...components.filter(({ ready }) => !ready).map(({ name, proof }) => `${name}: ${proof}`),
    ...certificates.filter(({ warning }) => warning).map(({ name, warning = "" }) => `certificate ${name}: ${warning}`),
  ];
  if (wrong.length === 0) {
    say(`proved: ${components.length} components are ready, ${certificates.length} certificates are good`);
  }
  return wrong;
}

async function proveApi(report: StackReport, { row }: Manifest): Promise<string[]> {
  if (!row) return [];
  if (!(await servesRow(report, row))) return [`the API does not serve ${row.path} as it did`];
  say(`proved: the API serves ${row.path} as it did, over TLS`);
  return [];
}
