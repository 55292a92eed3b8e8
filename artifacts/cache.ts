import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { root, writeAtomically } from "../cli/paths";
import { sha256, sha256File } from "./hash";
import type { Artifact, ImageArtifact } from "./types";

/** What `entry.json` in an entry's folder says of it. */
export interface CacheEntry extends Omit<Artifact, "path"> {
  /** Hash of the recipe that made it. */
  key: string;
  /** File name of the result in the folder. */
  file: string;
  /** Reference of an image. */
  ref?: string;
  /** Every file of the folder with its digest. */
  files: { name: string; sha256: string; size: number }[];
  made: string;
  /** Seconds it took here. */
  seconds: number;
}

/** Which cache entry each name stands for in one checkout: what `openArtifacts()` reads. */
export interface Index {
  checkout: string;
  artifacts: Record<string, IndexedArtifact>;
  /** Folders of the entries that these were made from: not for the program, but worth keeping. */
  inputs?: string[];
}

export type IndexedArtifact = (Artifact | ImageArtifact) & { key: string };

/** Entries that no index names are kept this long by `prune`, as another checkout may be building on them: milliseconds. */
const GRACE = 60 * 60_000;

/**
 * The local artefact store. An entry is a folder named by the hash of its recipe; it is made aside and renamed into
 * place, so that it is either whole or not there. Several checkouts share one store, each with an index of its own.
 */
export class Cache {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  path(...parts: string[]): string {
    return path.join(this.folder, ...parts);
  }

  entryFolder(name: string, key: string): string {
    return this.path("entries", `${name}-${key.slice(0, 20)}`);
  }

  /** The entry made by that recipe, if it is here. */
  find(name: string, key: string): CacheEntry | undefined {
    try {
      return JSON.parse(fs.readFileSync(path.join(this.entryFolder(name, key), "entry.json"), "utf8")) as CacheEntry;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  /** A folder for work that may be thrown away; `sweep` deletes it once its process is gone. */
  scratch(name: string): string {
    const folder = this.path(
      "tmp",
      `${name}.${process.pid}.${startTime(process.pid)}.${randomBytes(4).toString("hex")}`,
    );
    fs.mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Moves a finished folder into place and describes it. */
  async keep(made: string, entry: Omit<CacheEntry, "files" | "sha256" | "size" | "made">): Promise<CacheEntry> {
    const files: CacheEntry["files"] = [];
    for (const name of fs.readdirSync(made).sort()) {
      const file = path.join(made, name);
      files.push({ name, sha256: await sha256File(file), size: fs.statSync(file).size });
    }
    const main = files.find((file) => file.name === entry.file);
    if (main === undefined) throw new Error(`${entry.name}: its source made no file ${entry.file}`);
    const { sha256, size } = main;
    const whole: CacheEntry = { ...entry, sha256, size, files, made: new Date().toISOString() };
    fs.writeFileSync(path.join(made, "entry.json"), JSON.stringify(whole, undefined, 2));
    const folder = this.entryFolder(entry.name, entry.key);
    fs.mkdirSync(path.dirname(folder), { recursive: true });
    removeTree(folder);
    fs.renameSync(made, folder);
    return whole;
  }

  /** The entry as the program sees it. */
  artifact(entry: CacheEntry): IndexedArtifact {
    const { name, version, parts, sha256, size, source, key, ref } = entry;
    const file = path.join(this.entryFolder(name, key), entry.file);
    return { name, version, parts, path: file, sha256, size, source, key, ...(ref === undefined ? {} : { ref }) };
  }

  /** The index of a checkout; empty when nothing was fetched for it. */
  readIndex(checkout = root): Index {
    try {
      return JSON.parse(fs.readFileSync(this.indexFile(checkout), "utf8")) as Index;
    } catch {
      return { checkout, artifacts: {} }; // missing: nothing fetched yet
    }
  }

  writeIndex(index: Index): void {
    writeAtomically(this.indexFile(index.checkout), JSON.stringify(index, undefined, 1));
  }

  private indexFile(checkout: string): string {
    return this.path("index", `${sha256(checkout).slice(0, 16)}.json`);
  }

  /** Names of files whose content is no longer what was kept. */
  async verify(entry: CacheEntry): Promise<string[]> {
    const folder = this.entryFolder(entry.name, entry.key);
    const damaged: string[] = [];
    for (const file of entry.files) {
      const full = path.join(folder, file.name);
      if (!fs.existsSync(full) || (await sha256File(full)) !== file.sha256) damaged.push(file.name);
    }
    return damaged;
  }

  remove(name: string, key: string): void {
    removeTree(this.entryFolder(name, key));
  }

  /** Deletes the work folders of processes that are gone. */
  sweep(): void {
    for (const name of listFolder(this.path("tmp"))) {
      const [pid, started] = name.split(".").slice(-3).map(Number);
      if (pid && startTime(pid) === String(started)) continue;
      removeTree(this.path("tmp", name));
    }
  }

  /** Deletes entries that no checkout's index names any more. Returns the bytes that it freed. */
  prune(): { names: string[]; bytes: number } {
    this.sweep();
    const used = new Set<string>();
    for (const name of listFolder(this.path("index"))) {
      const index = JSON.parse(fs.readFileSync(this.path("index", name), "utf8")) as Index;
      if (!fs.existsSync(index.checkout)) fs.rmSync(this.path("index", name));
      else {
        for (const artifact of Object.values(index.artifacts)) used.add(path.basename(path.dirname(artifact.path)));
        for (const input of index.inputs ?? []) used.add(input);
      }
    }
    const names: string[] = [];
    let bytes = 0;
    for (const name of listFolder(this.path("entries"))) {
      const folder = this.path("entries", name);
      if (used.has(name) || Date.now() - fs.statSync(folder).mtimeMs < GRACE) continue;
      for (const file of fs.readdirSync(folder)) bytes += fs.statSync(path.join(folder, file)).size;
      removeTree(folder);
      names.push(name);
    }
    return { names, bytes };
  }
}

/**
 * Deletes a folder. A killed mmdebstrap leaves /proc, /sys and /dev mounted in its tree: deleting through those would
 * reach the machine's own devices, so they are unmounted first, and the folder stays when that fails.
 */
export function removeTree(folder: string): void {
  if (!fs.existsSync(folder)) return;
  const mounts = fs.readFileSync("/proc/self/mounts", "utf8").split("\n");
  const below = mounts.map((line) => line.split(" ")[1] ?? "").filter((point) => point.startsWith(`${folder}/`));
  if (below.length > 0) {
    for (const point of below.reverse()) {
      if (spawnSync("umount", ["--lazy", point]).status !== 0) return;
    }
  }
  fs.rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

const listFolder = (folder: string): string[] => (fs.existsSync(folder) ? fs.readdirSync(folder).sort() : []);

/** A process's start time in clock ticks: with the pid it names a process for good. Empty when it is gone. */
function startTime(pid: number): string {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? "" : (fields[19] ?? "");
  } catch {
    return "";
  }
}
