import type { Exemption } from "./exemptions";
import { parsePattern } from "./exemptions";
import type { Rule, ScannerIds } from "./rule";

/** Scanners whose findings the exemptions are held against. */
export type Scanner = keyof ScannerIds;

/** What a scanner found at a Kubernetes object. */
export interface ScannerFinding {
  scanner: Scanner;
  /** The scanner's own id of the check; a trivy id may be written in its short form, `KSV014`. */
  check: string;
  kind: string;
  /** Unset for cluster-scoped objects. */
  namespace?: string;
  name: string;
}

/** `KSV014` and `KSV-0014` are one check. */
const canonical = (id: string): string =>
  id.replace(/^KSV-?0*(\d+)$/, (_whole, number: string) => `KSV-${number.padStart(4, "0")}`);

/** The rules that look for what a scanner's check looks for; none where the pack has no such rule. */
export const rulesOfCheck = (rules: readonly Rule[], scanner: Scanner, check: string): Rule[] =>
  rules.filter(({ scanners }) => (scanners?.[scanner] ?? []).map(canonical).includes(canonical(check)));

/** The exemption that covers a scanner's finding; whether it is in force and needed is the pack's to judge. */
export function exemptionOf(
  finding: ScannerFinding,
  rules: readonly Rule[],
  exemptions: readonly Exemption[],
): Exemption | undefined {
  const ids = rulesOfCheck(rules, finding.scanner, finding.check).map(({ id }) => id);
  const { kind, namespace, name } = finding;
  const object = { apiVersion: "", kind, name, namespace, patch: false };
  return exemptions.find(
    (exemption) => ids.includes(exemption.rule) && parsePattern(exemption.resource).matches({ urn: "", object }),
  );
}
