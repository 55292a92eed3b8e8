import * as fs from "node:fs";
import * as path from "node:path";
import { exemptions } from "./exemption-list";
import { Control, Rule } from "./rule";
import { ruleGroups } from "./rules";

/** The page that this writes. */
export const page = path.join(__dirname, "..", "docs", "policies.md");

const intro = `# Policies

Made by \`npx ts-node policies/table.ts\` from the rules in \`policies/rules/\`; a test keeps it true. Every rule is mandatory unless the
stack's settings say otherwise (\`groundwork:policies\`): a violation stops \`preview\` and \`up\`. "Held in" says where: \`graph\` for each resource
before it is created, \`stack\` for all resources together after the program has run, \`cluster\` by the API server for what comes past the
graph (\`groundwork:admission\`). \`mends\`: at the level \`remediate\` the pack puts it right itself.

Controls are those of the CIS Kubernetes Benchmark 1.11.1 (section 5), the Kubernetes Hardening Guidance 1.2 of NSA and CISA (by
section, it has no numbers), the Pod Security Standards, Trivy's checks, and where none of them has one, the page of the Kubernetes
documentation or this project's own decision.
`;

const cell = (text: string): string => text.replaceAll("|", "\\|");

/** \`CIS Kubernetes 1.11.1 5.2.8, 5.2.9; PSS Restricted Capabilities\`. */
function controls(all: readonly Control[]): string {
  const frameworks = [...new Set(all.map(({ framework }) => framework))];
  const idsOf = (framework: string) => all.filter((one) => one.framework === framework).map(({ id }) => id);
  return frameworks.map((framework) => `${framework}: ${idsOf(framework).join(", ")}`).join("; ");
}

/** Where a rule is held: `graph` or `stack` by CrossGuard, `cluster` by the API server; `mends` where the pack can. */
const held = (rule: Rule): string =>
  [
    rule.scope === "stack" ? "stack" : "graph",
    ...(rule.cluster ? ["cluster"] : []),
    ...(rule.scope === "resource" && rule.remediate ? ["mends"] : []),
  ].join(", ");

const row = (rule: Rule): string =>
  `| \`${rule.id}\` | ${[rule.title, rule.severity, held(rule), controls(rule.controls), rule.remediation].map(cell).join(" | ")} |`;

/** The page's text. */
export function table(): string {
  const sections = ruleGroups.flatMap(({ title, rules }) => [
    `## ${title}`,
    "",
    "| rule | what holds | severity | held in | controls | what to do |",
    "|---|---|---|---|---|---|",
    ...rules.map(row),
    "",
  ]);
  const exempted = exemptions.map(
    ({ resource, rule, reason, owner, expires }) =>
      `| \`${cell(resource)}\` | \`${rule}\` | ${cell(reason)} | ${owner} | ${expires} |`,
  );
  return [
    intro,
    ...sections,
    "## Exemptions",
    "",
    "An exemption that is incomplete, expired or no longer needed stops the stack, too (`valid-exemptions`).",
    "",
    "| resource | rule | reason | owner | expires |",
    "|---|---|---|---|---|",
    ...exempted,
    "",
  ].join("\n");
}

/** The file with what others than the engine must know of the rules; loading the rules themselves takes longer. */
export const factsFile = path.join(__dirname, "rule-facts.ts");

/** That file's text. */
export function facts(): string {
  const line = (rule: Rule): string => {
    const takes = ["environment", "quota", "worldPorts", "cost"].filter(
      (key) => rule.configSchema?.properties?.[key] !== undefined,
    );
    const parts = [
      `severity: "${rule.severity}"`,
      ...(rule.scope === "resource" && rule.remediate ? ["remediates: true"] : []),
      ...(takes.length > 0 ? [`takes: [${takes.map((key) => `"${key}"`).join(", ")}]`] : []),
    ];
    return `  "${rule.id}": { ${parts.join(", ")} },`.replace(/^  "(\w+)":/, "  $1:");
  };
  return [
    "/** What the settings and the command line must know of a rule. */",
    "export interface RuleFacts {",
    '  severity: "low" | "medium" | "high" | "critical";',
    "  /** The pack can mend a violation itself where its level is `remediate`. */",
    "  remediates?: true;",
    "  /** Which of the stack's settings it is told. */",
    '  takes?: readonly ("environment" | "quota" | "worldPorts" | "cost")[];',
    "}",
    "",
    "/** Every rule by its id. Made by `npx ts-node policies/table.ts`; a test keeps it true. */",
    "export const ruleFacts: Readonly<Record<string, RuleFacts>> = {",
    ...ruleGroups.flatMap(({ rules }) => rules.map(line)),
    "};",
    "",
  ].join("\n");
}

if (require.main === module) {
  fs.writeFileSync(page, table());
  fs.writeFileSync(factsFile, facts());
}
