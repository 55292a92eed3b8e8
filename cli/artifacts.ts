import * as fs from "node:fs";
import * as path from "node:path";
import { catalogue, TOOLCHAIN } from "../artifacts/catalogue";
import { Cache, type IndexedArtifact } from "../artifacts/cache";
import { bytes, duration } from "../artifacts/durations";
import { ArtifactError } from "../artifacts/errors";
import { exclusively } from "../artifacts/exclusive";
import { givenPlugins, measured } from "../artifacts/given";
import { layOutHome } from "../artifacts/home";
import { keyOf, lockedRecipes } from "../artifacts/keys";
import { Lock } from "../artifacts/lockfile";
import { Reachability } from "../artifacts/reach";
import { Resolver } from "../artifacts/resolver";
import type { ArtifactUi } from "../artifacts/sources/context";
import type { Parts } from "../artifacts/types";
import { cacheDir, root } from "./paths";

export type { ArtifactUi } from "../artifacts/sources/context";

/** Writes progress to standard error, so that standard output stays for results. */
export const plainUi: ArtifactUi = { say: (line) => process.stderr.write(`${line}\n`) };

export interface FetchOptions {
  /** Take upstream's digests anew and write them to the lock. */
  updateLock?: boolean;
  /** Ask anew which hosts can be reached. */
  probeAgain?: boolean;
}

/** Every name that the program may ask for. */
export const allNames = (): string[] => catalogue.filter((entry) => !entry.internal).map((entry) => entry.name);

/**
 * Sees to it that these artefacts are in the cache and in this checkout's index, in the best form that can be had here. With
 * everything in place that takes some milliseconds and asks nobody.
 * @throws ArtifactError with a message for a person
 */
export async function ensureArtifacts(
  names: string[] | "all",
  ui: ArtifactUi = plainUi,
  options: FetchOptions = {},
): Promise<IndexedArtifact[]> {
  const cache = new Cache(cacheDir());
  const reach = new Reachability(cache.folder);
  if (options.probeAgain) reach.forget();
  const lock = new Lock();
  const resolver = new Resolver({ cache, lock, reach, ui, updateLock: options.updateLock });
  const wanted = names === "all" ? allNames() : names;
  const missing = resolver.missing(wanted);
  checkDisk(cache.folder, missing);
  if (missing.length > 1) {
    const seconds = missing.reduce((sum, one) => sum + one.seconds, 0);
    const list = missing.map((one) => one.name).join(", ");
    ui.say(`${missing.length} artefacts to get, ${duration(seconds)} if all of them are made here: ${list}`);
  }
  return resolver.all(wanted, (artifact) => addToIndex(cache, lock, artifact));
}

/** GiB that results and work folders may take, and what builds take besides; see "disk" in artifacts/README.md. */
const DISK = { results: 3, builds: 10 };

/** Tells before anything is made that the disk is too small for it. */
function checkDisk(folder: string, missing: { name: string; compiles: boolean }[]): void {
  if (missing.length < 2) return; // one more artefact is seldom what fills a disk
  const needed = DISK.results + (missing.some((one) => one.compiles) ? DISK.builds : 0);
  fs.mkdirSync(folder, { recursive: true });
  const { bavail, bsize } = fs.statfsSync(folder);
  const free = (bavail * bsize) / 2 ** 30;
  if (free >= needed) return;
  throw new ArtifactError(
    `${folder} has ${free.toFixed(1)} GiB free, and getting ${missing.length} artefacts may take ${needed} GiB at its height.\n` +
      `Free some, or set GROUNDWORK_CACHE_DIR to a folder on a larger disk.`,
  );
}

async function addToIndex(cache: Cache, lock: Lock, artifact: IndexedArtifact): Promise<void> {
  const known = cache.readIndex().artifacts[artifact.name];
  if (known && JSON.stringify(known) === JSON.stringify(artifact)) return;
  await exclusively(
    cache.path("locks", "index.lock"),
    () => undefined,
    () => {
      const index = cache.readIndex();
      index.artifacts[artifact.name] = artifact;
      index.inputs = inputsIn(cache, lock);
      cache.writeIndex(index);
    },
  );
}

/** Folders of the internal entries that today's recipes make. */
function inputsIn(cache: Cache, lock: Lock): string[] {
  const internal = catalogue.filter((entry) => entry.internal);
  const keys = internal.flatMap((entry) =>
    entry.sources.map((source) => [entry.name, keyOf(entry, source, lock, catalogue)] as const),
  );
  return keys
    .filter(([name, key]) => cache.find(name, key))
    .map(([name, key]) => path.basename(cache.entryFolder(name, key)));
}

/** The engine's home with the CLI, the language host and the provider plugins where the engine looks for them. */
export interface Toolchain {
  pulumiHome: string;
  /** Absolute path of the `pulumi` command. */
  cli: string;
  /** What each part is, by catalogue name. */
  parts: Record<string, Parts>;
}

export interface ToolchainOptions extends FetchOptions {
  /** Folder of official plugins to use, or "" for none. Default: GROUNDWORK_OFFICIAL_PLUGINS. */
  plugins?: string;
}

/** Sees to it that the Pulumi CLI and its plugins can be run, and says what each of them is. */
export async function ensureToolchain(ui: ArtifactUi = plainUi, options: ToolchainOptions = {}): Promise<Toolchain> {
  const given = givenPlugins(options.plugins);
  const own = TOOLCHAIN.filter((name) => !given.some((plugin) => plugin.name === name));
  const laidOut = [...(await ensureArtifacts(own, ui, options)), ...given];
  for (const { name, version, source } of given) ui.say(`${name} ${version}: official, ${source}`);
  const pulumiHome = await layOutHome(new Cache(cacheDir()), laidOut);
  const parts = Object.fromEntries(laidOut.map((artifact) => [artifact.name, artifact.parts]));
  return { pulumiHome, cli: path.join(pulumiHome, "bin", "pulumi"), parts };
}

/** `npm run artifacts -- [list|fetch|lock|verify|prune] ...`. Returns the exit code. */
export async function artifacts(argv: string[], ui: ArtifactUi = plainUi): Promise<number> {
  const flags = argv.filter((word) => word.startsWith("--"));
  const [verb = "list", ...names] = argv.filter((word) => !word.startsWith("--"));
  const known = ["--json", "--update-lock", "--yes"];
  const wrong = flags.find((flag) => !known.includes(flag));
  if (wrong !== undefined) throw new ArtifactError(`artifacts knows no ${wrong}; it knows ${known.join(", ")}`);
  switch (verb) {
    case "list":
      list(flags.includes("--json"));
      return 0;
    case "fetch":
      return fetchVerb(names, flags.includes("--update-lock"), ui);
    case "lock":
      return noteRecipes(ui);
    case "verify":
      return verify(ui);
    case "prune": {
      const pruned = new Cache(cacheDir()).prune();
      ui.say(`${pruned.names.length} entries deleted, ${bytes(pruned.bytes)} freed`);
      return 0;
    }
    default:
      throw new ArtifactError(`artifacts knows no "${verb}"; it knows list, fetch [names], lock, verify and prune`);
  }
}

async function fetchVerb(names: string[], updateLock: boolean, ui: ArtifactUi): Promise<number> {
  const began = Date.now();
  const found = await ensureArtifacts(names.length > 0 ? names : "all", ui, { updateLock, probeAgain: true });
  if (names.length === 0) {
    await ensureToolchain(ui);
  }
  const size = found.reduce((sum, artifact) => sum + artifact.size, 0);
  ui.say(`${found.length} artefacts in the cache, ${bytes(size)}, ${duration((Date.now() - began) / 1000)}`);
  return 0;
}

/** Notes the recipes' hashes, so that a review sees which built artefacts a change changes. */
function noteRecipes(ui: ArtifactUi): number {
  const lock = new Lock();
  lock.setRecipes(lockedRecipes(lock, catalogue));
  ui.say("artifacts/lock.json has the recipes as they are; review and commit it");
  return 0;
}

async function verify(ui: ArtifactUi): Promise<number> {
  const cache = new Cache(cacheDir());
  let damaged = 0;
  const artifacts = Object.values(cache.readIndex().artifacts);
  for (const artifact of artifacts) {
    const entry = cache.find(artifact.name, artifact.key);
    const files = entry === undefined ? ["entry.json"] : await cache.verify(entry);
    if (files.length === 0) continue;
    damaged++;
    cache.remove(artifact.name, artifact.key);
    ui.say(
      `${artifact.name}: ${files.join(", ")} changed since it was kept; deleted. Run: npm run artifacts -- fetch ${artifact.name}`,
    );
  }
  ui.say(`${artifacts.length} artefacts verified, ${damaged} damaged`);
  return damaged === 0 ? 0 : 1;
}

function list(asJson: boolean): void {
  const { artifacts } = new Cache(cacheDir()).readIndex(root);
  const given = new Map(givenPlugins().map((plugin) => [plugin.name, plugin]));
  const rows = catalogue
    .filter((entry) => !entry.internal)
    .map((entry) => {
      const found = given.has(entry.name) ? measured(given.get(entry.name)!) : artifacts[entry.name];
      const here = found !== undefined && fs.existsSync(found.path) ? found : undefined;
      return {
        name: entry.name,
        version: entry.version,
        kind: entry.kind,
        about: entry.about,
        ...here,
        cached: here !== undefined,
      };
    });
  if (asJson) {
    process.stdout.write(`${JSON.stringify(rows, undefined, 2)}\n`);
    return;
  }
  const table = rows.map((row) =>
    row.cached
      ? [
          row.name,
          row.version,
          row.parts ?? "",
          bytes(row.size ?? 0),
          (row.sha256 ?? "").slice(0, 16),
          row.source ?? "",
        ]
      : [row.name, row.version, "not fetched", "", "", ""],
  );
  process.stdout.write(columns([["NAME", "VERSION", "PARTS", "SIZE", "SHA-256", "SOURCE"], ...table]));
}

function columns(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const line = (row: string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return rows.map((row) => `${line(row).slice(0, 200)}\n`).join("");
}
