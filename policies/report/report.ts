import { Graph } from "../capture/graph";
import { Level, PackConfig } from "../config";
import { exemptions as ownExemptions } from "../exemption-list";
import { Exemption, exemptionsRule } from "../exemptions";
import type { RuleMetadata } from "../rule";
import { rules as allRules } from "../rules";
import { runPack, TestResource } from "./engine-like";
import { toTestResource } from "./run";

/** A violation with all that a reader or a machine wants to know of it. */
export interface ReportedViolation {
  rule: string;
  severity: RuleMetadata["severity"];
  /** `advisory` does not stop a stack; `remediate` is mended by the engine. */
  level: Level;
  message: string;
  /** The resource; unset where the stack as a whole is meant. */
  urn?: string;
  /** Where it was made, else the stack's file. */
  file: string;
  line: number;
}

/** What the pack says of a stack. */
export interface PolicyReport {
  stack: string;
  resources: number;
  rules: number;
  /** Seconds that the rules took. */
  seconds: number;
  violations: ReportedViolation[];
}

/** What a report is made of. */
export interface Subject {
  stack: string;
  resources: readonly TestResource[];
  config: PackConfig;
  /** @default those of the policy pack */
  exemptions?: readonly Exemption[];
  /** Where a resource was made, by URN. */
  source?: (urn: string) => { file: string; line: number } | undefined;
}

/** The resources of a captured graph, with where they were made. */
export const subjectOf = (stack: string, graph: Graph, config: PackConfig): Subject => {
  const sources = new Map(graph.nodes.map(({ urn, source }) => [urn, source]));
  return { stack, config, resources: graph.nodes.map(toTestResource), source: (urn) => sources.get(urn) };
};

const order: readonly Level[] = ["mandatory", "remediate", "advisory", "disabled"];
const metadata = new Map<string, RuleMetadata>(
  [...allRules, exemptionsRule].map((rule): [string, RuleMetadata] => [rule.id, rule]),
);

/** Runs the pack without an engine, at the levels that the stack's settings say. */
export async function report(subject: Subject): Promise<PolicyReport> {
  const { stack, resources, config, source, exemptions = ownExemptions } = subject;
  const levelOf = (rule: string): Level => {
    const value = config[rule];
    return (typeof value === "string" ? value : value?.enforcementLevel) ?? "mandatory";
  };
  const started = process.hrtime.bigint();
  const found = await runPack(resources, {
    rules: allRules,
    exemptions,
    config,
  });
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  const violations = found
    .filter(({ rule }) => levelOf(rule) !== "disabled")
    .map(({ rule, message, urn }): ReportedViolation => {
      const at = (urn && source?.(urn)) || { file: `Pulumi.${stack}.yaml`, line: 1 };
      const { severity } = metadata.get(rule)!;
      return { rule, severity, level: levelOf(rule), message, ...(urn && { urn }), ...at };
    })
    .sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
  return { stack, resources: resources.length, rules: allRules.length, seconds, violations };
}

/** Whether something stops the stack. */
export const stops = ({ violations }: PolicyReport): boolean => violations.some(({ level }) => level === "mandatory");
