import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { root } from "./paths";
import { duration, say, UserError } from "./ui";

interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

/** One part of a test run: either commands that pass or fail as a whole, or a mocha run with its own totals. */
interface Layer {
  name: string;
  commands?: { name: string; argv: string[]; cwd?: string }[];
  mocha?: string[];
  /** How many files run side by side: much of a test is waiting. Default 1. */
  jobs?: number;
  /** The tests use the engine and its plugins, so the artefact cache is filled first. */
  engine?: boolean;
  /** Given official plugins stand beside the others and do not take their place: the tests run with each. */
  eachPlugin?: boolean;
  /** The tests run the scanners, which are fetched first. */
  scanners?: boolean;
  /** Whole clusters of several machines, minutes each: run every night and when they are named, and not with every change. */
  onRequest?: boolean;
}

const bin = (name: string) => path.join(root, "node_modules", ".bin", name);

/** In the order in which they fail fastest. */
const layers: Layer[] = [
  {
    name: "static",
    commands: [
      { name: "types", argv: [bin("tsc"), "--noEmit"] },
      { name: "lint", argv: [bin("eslint"), ".", "--max-warnings=0"] },
      { name: "format", argv: [bin("prettier"), "--check", ".", "--log-level", "warn"] },
    ],
  },
  { name: "unit", mocha: ["tests/unit/**/*.test.ts"], jobs: 2 },
  // One at a time: they count requests that fail under a load.
  { name: "apps", mocha: ["apps/*/test/**/*.test.ts"] },
  { name: "policies", mocha: ["tests/policies/**/*.test.ts"], jobs: 2 },
  { name: "scanners", mocha: ["tests/scanners/**/*.test.ts"], scanners: true },
  { name: "engine", mocha: ["tests/engine/**/*.test.ts"], jobs: 2, engine: true, eachPlugin: true },
  { name: "e2e", mocha: ["tests/e2e/*.test.ts"], engine: true },
  { name: "long", mocha: ["tests/e2e/long/*.test.ts"], engine: true, onRequest: true },
];

function run(argv: string[], env: NodeJS.ProcessEnv = {}, cwd = root): Promise<number> {
  return new Promise((resolve, reject) => {
    const [command, ...args] = argv as [string, ...string[]];
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "inherit", "inherit"],
    });
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}

/** Fills the cache, and says where the engine is in the way that the engine itself is told. */
async function engineSurroundings(eachPlugin = false): Promise<NodeJS.ProcessEnv> {
  const { ensureArtifacts, ensureToolchain, plainUi } = await import("./artifacts");
  const { cli, pulumiHome } = await ensureToolchain(plainUi, eachPlugin ? { plugins: "" } : {});
  await ensureArtifacts("all");
  return {
    PULUMI_HOME: pulumiHome,
    PATH: `${path.dirname(cli)}${path.delimiter}${process.env["PATH"] ?? ""}`,
    PULUMI_SKIP_UPDATE_CHECK: "true",
  };
}

async function fetchScanners(): Promise<void> {
  const { ensureArtifacts } = await import("./artifacts");
  const { scanArtifacts } = await import("../policies/witnesses/stack");
  await ensureArtifacts(scanArtifacts);
}

async function runMocha(
  { mocha: patterns = [], jobs = 1 }: Layer,
  filter: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<Totals> {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-totals-")), "totals.json");
  const argv = [bin("mocha"), "--reporter", path.join(root, "cli", "mocha-reporter.cjs"), "--exit", ...patterns];
  if (jobs > 1) argv.push("--parallel", "--jobs", `${jobs}`);
  if (filter) argv.push("--grep", filter);
  const code = await run(argv, { ...env, GROUNDWORK_TOTALS: file });
  const totals = fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, "utf8")) as Totals) : undefined;
  fs.rmSync(path.dirname(file), { recursive: true, force: true });
  // A run that dies before its end, or that finds no test, is a failure of its own.
  if (!totals) return { passed: 0, failed: 1, skipped: 0 };
  if (code !== 0 && totals.failed === 0) return { ...totals, failed: 1 };
  if (totals.passed + totals.failed === 0) return { ...totals, failed: 1 };
  return totals;
}

async function runLayer(layer: Layer, filter: string | undefined): Promise<Totals> {
  if (layer.scanners) await fetchScanners();
  if (layer.mocha) return runMocha(layer, filter, layer.engine ? await engineSurroundings(layer.eachPlugin) : {});
  const totals: Totals = { passed: 0, failed: 0, skipped: 0 };
  for (const command of layer.commands ?? []) {
    const passed = (await run(command.argv, {}, command.cwd)) === 0;
    say(`  ${passed ? "ok  " : "FAIL"} ${command.name}`);
    totals[passed ? "passed" : "failed"] += 1;
  }
  return totals;
}

/**
 * The layers that are named; where none is, all but those on request. Words that name no layer are files of the ones that are named:
 * `e2e security` is tests/e2e/security.test.ts.
 */
function choose(words: string[]): Layer[] {
  const named = layers.filter((layer) => words.includes(layer.name));
  const files = words.filter((word) => !layers.some((layer) => layer.name === word));
  const wrong = files.filter((file) => !named.some((layer) => fileOf(layer, file)));
  if (wrong.length > 0) {
    const known = layers.map((layer) => layer.name).join(", ");
    throw new UserError(
      `no test layer "${wrong.join(", ")}": there are ${known}; after a layer, one of its files may be named`,
    );
  }
  const all = named.length > 0 ? named : layers.filter((layer) => !layer.onRequest);
  if (files.length === 0) return all;
  return all.map((layer) => ({ ...layer, mocha: files.flatMap((file) => fileOf(layer, file) ?? []) }));
}

/** A layer's file of that name, or of its folder of long ones. */
function fileOf(layer: Layer, name: string): string | undefined {
  const files = ["", "long"].map((folder) => path.join("tests", layer.name, folder, `${name}.test.ts`));
  return layer.mocha && files.find((file) => fs.existsSync(path.join(root, file)));
}

/**
 * `npm test [layers]`: runs the layers (those that every change is held against, unless some are named) and closes with the line
 * `N passed, N failed`. A later layer runs even when an earlier one failed, so that one run shows everything.
 */
export async function test(names: string[], options: { grep?: string }): Promise<number> {
  const chosen = choose(names);
  const sum: Totals = { passed: 0, failed: 0, skipped: 0 };
  for (const layer of chosen) {
    say(`\n== ${layer.name}`);
    const started = Date.now();
    const totals = await runLayer(layer, options.grep);
    say(
      `== ${layer.name}: ${totals.passed} passed, ${totals.failed} failed in ${duration((Date.now() - started) / 1000)}`,
    );
    for (const key of ["passed", "failed", "skipped"] as const) sum[key] += totals[key];
  }
  const skipped = sum.skipped ? `, ${sum.skipped} skipped` : "";
  process.stdout.write(`\n${sum.passed} passed, ${sum.failed} failed${skipped}\n`);
  return sum.failed === 0 ? 0 : 1;
}
