/**
 * What the contract suite runs against: the CLI of PATH, and for each provider the plugins that are present, official or
 * stand-in. PULUMI_HOME/plugins is looked through first, then the folder that GROUNDWORK_OFFICIAL_PLUGINS names, so that official
 * plugins stand beside the stand-ins in these tests.
 */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { isStandIn } from "../../../artifacts/given";

/** The providers that the suite has scenarios for, each with the npm package whose version names the plugin. */
export const providers = ["command", "random", "tls"] as const;
export type Provider = (typeof providers)[number];

/** One plugin to run scenarios against. */
export interface Subject {
  kind: "official" | "stand-in";
  provider: Provider;
  /** Folder `resource-<name>-v<version>` that holds the binary. */
  folder: string;
}

/** The version of a plugin that its npm package asks for. */
export function askedVersion(provider: string): string {
  const file = path.resolve(__dirname, `../../../node_modules/@pulumi/${provider}/package.json`);
  const manifest = JSON.parse(fs.readFileSync(file, "utf8")) as { version: string; pulumi?: { version?: string } };
  return (manifest.pulumi?.version ?? manifest.version).replace(/^v/, "");
}

/**
 * Path of the CLI; throws when there is none, since a suite without an engine proves nothing. Scripts of that name are passed
 * over: they are launchers that set up an environment of their own.
 */
export function cli(): string {
  const found = (process.env["PATH"] ?? "").split(path.delimiter).map((d) => path.join(d, "pulumi"));
  const file = found.find((f) => fs.existsSync(f) && firstBytes(f, 2) !== "#!");
  if (!file) throw new Error("no pulumi on PATH: the contract suite needs the real engine");
  return file;
}

function firstBytes(file: string, count: number): string {
  const fd = fs.openSync(file, "r");
  try {
    const b = Buffer.alloc(count);
    fs.readSync(fd, b, 0, count, 0);
    return b.toString("latin1");
  } finally {
    fs.closeSync(fd);
  }
}

/** The home folder that the environment names, or Pulumi's default. */
export function pulumiHome(): string {
  return process.env["PULUMI_HOME"] ?? path.join(os.homedir(), ".pulumi");
}

/** The plugins present for a provider: at most one official and one stand-in. */
export function subjects(provider: Provider): Subject[] {
  const name = `resource-${provider}-v${askedVersion(provider)}`;
  const places = [path.join(pulumiHome(), "plugins"), process.env["GROUNDWORK_OFFICIAL_PLUGINS"]];
  const out: Subject[] = [];
  for (const place of places) {
    const folder = path.join(place ?? "", name);
    const file = path.join(folder, `pulumi-resource-${provider}`);
    if (!place || !fs.existsSync(file)) continue;
    const kind = isStandIn(file) ? "stand-in" : "official";
    if (!out.some((s) => s.kind === kind)) out.push({ kind, provider, folder });
  }
  if (out.length === 0) throw new Error(`no plugin ${name} in ${places.filter(Boolean).join(" or ")}`);
  return out;
}

/** A PULUMI_HOME of its own that holds just the plugins of one run. */
export function homeOf(folders: string[], root: string): string {
  const home = fs.mkdtempSync(path.join(root, "home-"));
  fs.mkdirSync(path.join(home, "plugins"));
  for (const folder of folders) {
    // The engine passes over plugin folders that are links, but not over linked binaries.
    const own = path.join(home, "plugins", path.basename(folder));
    fs.mkdirSync(own);
    for (const file of fs.readdirSync(folder)) fs.symlinkSync(path.join(folder, file), path.join(own, file));
  }
  return home;
}

/** Environment of every engine run: nothing is downloaded, nothing is asked. */
export function engineEnv(home: string, state: string): Record<string, string> {
  fs.mkdirSync(state, { recursive: true });
  return {
    PATH: `${path.dirname(cli())}${path.delimiter}${process.env["PATH"] ?? ""}`,
    PULUMI_HOME: home,
    PULUMI_BACKEND_URL: `file://${state}`,
    PULUMI_CONFIG_PASSPHRASE: "contract",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    PULUMI_IGNORE_AMBIENT_PLUGINS: "true",
    PULUMI_NODEJS_TRANSPILE_ONLY: "true",
  };
}

/** Path of the loopback SSH server that remote scenarios talk to; built once into the temporary folder. */
export function sshServerBinary(root: string): string {
  const given = process.env["GROUNDWORK_TESTSSHD"];
  if (given) return given;
  const out = path.join(root, "testsshd");
  if (fs.existsSync(out)) return out;
  const module = path.resolve(__dirname, "../../../standins/engine");
  const r = spawnSync("go", ["build", "-o", out, "./cmd/groundwork-testsshd"], { cwd: module, encoding: "utf8" });
  if (r.status !== 0) {
    throw new Error(`the SSH server for tests could not be built: ${r.stderr}${r.error?.message ?? ""}`);
  }
  return out;
}
