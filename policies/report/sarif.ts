import { exemptionsRule } from "../exemptions";
import type { RuleMetadata } from "../rule";
import { rules } from "../rules";
import type { Level } from "../config";
import type { PolicyReport } from "./report";

/** Levels of SARIF, section 3.27.10. */
const levels: Record<Level, "error" | "warning" | "note" | "none"> = {
  mandatory: "error",
  advisory: "warning",
  remediate: "note",
  disabled: "none",
};

/** What code hosts sort findings by: the middle of each band of CVSS. */
const securitySeverity = { low: "2.0", medium: "5.5", high: "8.0", critical: "9.5" };

function describeRule({ id, title, severity, controls, remediation }: RuleMetadata) {
  const listed = controls.map(({ framework, id: control }) => `${framework}: ${control}`);
  return {
    id,
    name: id.replace(/(^|-)(\w)/g, (_whole, _dash, letter: string) => letter.toUpperCase()),
    shortDescription: { text: `${title}.` },
    fullDescription: { text: `${title}. ${remediation}` },
    help: {
      text: `${remediation} Controls: ${listed.join("; ")}.`,
      markdown: `${remediation}\n\n${listed.map((control) => `- ${control}`).join("\n")}`,
    },
    defaultConfiguration: { level: "error" },
    properties: {
      tags: ["security", ...new Set(controls.map(({ framework }) => framework))],
      precision: "high",
      "security-severity": securitySeverity[severity ?? "medium"],
    },
  };
}

/** A report as SARIF 2.1.0 (OASIS standard), for code hosts and editors. */
export function sarif(report: PolicyReport): object {
  const described = [...rules, exemptionsRule].map(describeRule);
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: { driver: { name: "groundwork-policies", semanticVersion: "0.1.0", rules: described } },
        automationDetails: { id: `policies/${report.stack}/` },
        columnKind: "utf16CodeUnits",
        results: report.violations.map(({ rule, level, message, urn, file, line }) => ({
          ruleId: rule,
          ruleIndex: described.findIndex(({ id }) => id === rule),
          level: levels[level],
          message: { text: message },
          locations: [
            {
              physicalLocation: {
                artifactLocation: { uri: file, uriBaseId: "%SRCROOT%" },
                region: { startLine: line },
              },
              ...(urn && { logicalLocations: [{ fullyQualifiedName: urn, kind: "resource" }] }),
            },
          ],
          partialFingerprints: { "ruleAndResource/v1": `${rule}:${urn ?? report.stack}` },
        })),
      },
    ],
  };
}
