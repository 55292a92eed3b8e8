import * as fs from "node:fs";
import * as path from "node:path";
import { root } from "../cli/paths";
import { entryOf, type Entry, type Layer, type Source } from "./catalogue";
import { recipeDigest } from "./go/recipe";
import { GO_VERSION } from "./go/toolchain";
import { canonicalJson, folderDigest, sha256 } from "./hash";
import { platform, type Lock } from "./lockfile";
import { resolveTree } from "./sources/debian";

/** Raise it when the machinery changes in a way that changes results of unchanged recipes. */
const FORMAT = 2;
/** The same for archives and images that are written here. */
const WRITER = 2;

/**
 * Hash of everything that decides what a source makes of an entry: the catalogue's words, the lock's digest, the local
 * folders it is built from, and the entries that go into it. The name of its folder in the cache.
 */
export function keyOf(entry: Entry, source: Source, lock: Lock, entries: readonly Entry[]): string {
  // How long it takes does not change what it makes.
  const words = { ...source, seconds: undefined, parts: undefined };
  const { name, version, kind, file, image } = entry;
  const inputs = inputsOf(entry, source, lock, entries);
  return sha256(canonicalJson({ FORMAT, platform, name, version, kind, file, image, words, inputs }));
}

function inputsOf(entry: Entry, source: Source, lock: Lock, entries: readonly Entry[]): unknown {
  const keysOf = (name: string): string[] => {
    const other = entryOf(name, entries);
    return other.sources.map((inner) => keyOf(other, inner, lock, entries));
  };
  const layerInputs = (layer: Layer): unknown[] =>
    "tar" in layer
      ? keysOf(layer.tar)
      : (layer.files ?? []).flatMap((file) => ("entry" in file ? keysOf(file.entry) : []));
  switch (source.type) {
    case "download":
    case "pull":
    case "module-file":
      return lock.upstream(entry.name, entry.version)?.sha256 ?? "";
    case "part-of":
      return keysOf(source.entry);
    case "go":
      return { go: GO_VERSION, recipe: recipeDigest(source.folder) };
    case "debian":
      return { WRITER, tree: resolveTree(source.debian) };
    case "compose":
      return { WRITER, layers: source.layers.flatMap(layerInputs) };
    case "image-set":
      return { WRITER, go: GO_VERSION, list: imageSetDigest(source.folder, source.list) };
    case "workspace":
      return [...source.inputs.map((input) => pathDigest(path.join(root, source.workspace, input))), lockfileDigest()];
    case "npm":
    case "maven":
      return undefined; // the version is in the source's words
  }
}

function imageSetDigest(folder: string, list: string): string[] {
  const text = fs.readFileSync(path.join(root, folder, list), "utf8");
  const { images } = JSON.parse(text) as { images: { dir?: string }[] };
  const folders = images.flatMap((image) => (image.dir === undefined ? [] : [path.join(root, folder, image.dir)]));
  return [sha256(text), ...folders.map((inner) => folderDigest(inner))];
}

const pathDigest = (file: string): string =>
  !fs.existsSync(file) ? "" : fs.statSync(file).isDirectory() ? folderDigest(file) : sha256(fs.readFileSync(file));

const lockfileDigest = (): string => pathDigest(path.join(root, "package-lock.json"));

/**
 * The recipes that the lock names, with their hashes: of everything that is built from upstream's sources or packages. The
 * project's own sources (stand-ins, workspaces) are locked by git.
 */
export function lockedRecipes(lock: Lock, entries: readonly Entry[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const entry of entries) {
    for (const source of entry.sources) {
      const fromUpstream = source.type === "go" ? source.parts === "built" : LOCKED.has(source.type);
      const id = `${entry.name}@${entry.version}/${source.type}-${platform}`;
      if (fromUpstream) found[id] = keyOf(entry, source, lock, entries);
    }
  }
  return found;
}

const LOCKED = new Set<Source["type"]>(["debian", "npm", "maven"]);

/** Folder names for messages: where a source's recipe stands. */
export function whereFrom(source: Source): string {
  switch (source.type) {
    case "download":
      return source.url;
    case "pull":
      return "its registry";
    case "part-of":
      return source.entry;
    case "go":
      return source.parts === "stand-in" ? `the stand-in in ${source.folder}` : `its Go module (${source.folder})`;
    case "module-file":
      return `the Go module ${source.module}@${source.version}`;
    case "debian":
      return `Debian ${source.debian.suite} packages`;
    case "compose":
      return "parts made here";
    case "image-set":
      return `${source.folder}/${source.list}`;
    case "workspace":
      return source.workspace;
    case "npm":
      return `the npm package ${source.package}@${source.version}`;
    case "maven":
      return `Maven ${source.coordinates.join(" ")}`;
  }
}
