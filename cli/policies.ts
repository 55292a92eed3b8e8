import * as fs from "node:fs";
import * as path from "node:path";
import { readArguments } from "./arguments";
import type { PolicyReport } from "../policies/report/report";
import { checkSettings } from "./prepare";
import { chosenStack } from "./stack";
import { say, table, UserError } from "./ui";

const usage = `usage: npm run policies -- [options]

  --stack NAME       the stack to judge; default: dev
  --format FORMAT    table (default), json, or sarif (2.1.0)
  --out FILE         write the report there instead of on standard output
  --preview FILE     judge what \`pulumi preview --json\` wrote instead of running the program

Runs the policy pack over a stack without an engine and without a cluster. Exit code 1 when something is mandatory.`;

const formats = ["table", "json", "sarif"] as const;
type Format = (typeof formats)[number];

interface Options {
  stack: string;
  format: Format;
  out?: string;
  preview?: string;
}

/** Reads the command line. Throws a UserError with the usage for what it does not know. */
function parse(argv: string[]): Options | undefined {
  const { values } = readArguments(usage, {
    args: argv,
    options: {
      stack: { type: "string", short: "s" },
      format: { type: "string", default: "table" },
      out: { type: "string" },
      preview: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return undefined;
  const format = formats.find((one) => one === values.format);
  if (!format) {
    throw new UserError(`--format is "${values.format}": it must be one of ${formats.join(", ")}\n\n${usage}`);
  }
  return { stack: chosenStack(values.stack), format, out: values.out, preview: values.preview };
}

/** `npm run policies`: what the policy pack says of a stack, for people, programs and code hosts. */
export async function policies(argv: string[]): Promise<number> {
  const options = parse(argv);
  if (!options) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  const made = await judge(options);
  const { sarif } = await import("../policies/report/sarif");
  const text =
    options.format === "table"
      ? describeReport(made)
      : `${JSON.stringify(options.format === "sarif" ? sarif(made) : made, null, 2)}\n`;
  if (options.out) fs.writeFileSync(options.out, text);
  else process.stdout.write(text);
  const { stops } = await import("../policies/report/report");
  const count = made.violations.filter(({ level }) => level === "mandatory").length;
  say(
    `${made.resources} resources of ${made.stack} held against ${made.rules} rules in ${made.seconds.toFixed(1)} s: ` +
      `${count} mandatory violations, ${made.violations.length - count} others`,
  );
  return stops(made) ? 1 : 0;
}

async function judge({ stack, preview }: Options): Promise<PolicyReport> {
  const { packSettings } = await import("../stacks/settings");
  const { packConfig } = await import("../policies/config");
  const { report, subjectOf } = await import("../policies/report/report");
  const config = packConfig(packSettings(checkSettings(stack)));
  if (preview) {
    const { resourcesOfPreview } = await import("../policies/report/preview");
    if (!fs.existsSync(preview)) throw new UserError(`there is no file ${path.resolve(preview)}`);
    return report({ stack, config, resources: resourcesOfPreview(fs.readFileSync(preview, "utf8")) });
  }
  return report(subjectOf(stack, await captured(stack), config));
}

/** The stack's graph with upstreams' whole manifests, which are fetched the first time. */
export async function captured(stack: string) {
  const { catalogue } = await import("../artifacts/catalogue");
  const { ensureArtifacts } = await import("./artifacts");
  const { openArtifacts } = await import("../artifacts");
  await ensureArtifacts(catalogue.filter(({ kind }) => kind === "manifest").map(({ name }) => name));
  const artifacts = openArtifacts();
  const { captureStack } = await import("../policies/capture/stacks");
  return captureStack(stack, {}, (name) => artifacts.manifest(name).path);
}

function describeReport({ violations }: PolicyReport): string {
  if (violations.length === 0) return "no violations\n";
  const rows = violations.map(({ level, severity, rule, message, file, line }) => [
    level,
    severity ?? "",
    rule,
    `${file}:${line}`,
    message.replace(/ \([a-z-]+: [^)]*\)$/, ""),
  ]);
  return `${table(["level", "severity", "rule", "made at", "what"], rows)}\n`;
}
