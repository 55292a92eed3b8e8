import * as fs from "node:fs";
import * as path from "node:path";
import { pathMatcher, readTar, TarWriter, type Written } from "./tar";

/** One thing in a layer that is put together from single parts. */
export type LayerItem = { to: string; mode?: number; uid?: number; gid?: number } & (
  | { kind: "file"; from: string }
  | { kind: "text"; text: string }
  | { kind: "link"; target: string }
  | { kind: "directory" }
);

/** A layer on disk, uncompressed: its digest is also its diff id. */
export interface LayerFile extends Written {
  path: string;
}

/** Writes a layer of single files, sorted by path; parent folders are added, owned by root. */
export async function writeLayer(items: LayerItem[], file: string): Promise<LayerFile> {
  const byPath = new Map(items.map((item) => [relative(item.to), item]));
  if (byPath.size !== items.length) {
    throw new Error(`two items of a layer have the same path: ${items.map((i) => i.to).join(" ")}`);
  }
  const folders = new Set<string>();
  for (const name of byPath.keys()) {
    for (let parent = path.posix.dirname(name); parent !== "."; parent = path.posix.dirname(parent)) {
      folders.add(parent);
    }
  }
  const writer = new TarWriter(file);
  for (const name of [...new Set([...folders, ...byPath.keys()])].sort()) {
    const item = byPath.get(name);
    const owner = { uid: item?.uid ?? 0, gid: item?.gid ?? 0 };
    if (item === undefined || item.kind === "directory") {
      await writer.add({ name: `${name}/`, type: "directory", mode: item?.mode ?? 0o755, ...owner });
    } else if (item.kind === "link") {
      await writer.add({ name, type: "symlink", linkname: item.target, mode: 0o777, ...owner });
    } else if (item.kind === "text") {
      await writer.add({ name, mode: item.mode ?? 0o644, ...owner }, item.text);
    } else {
      await writer.addFile({ name, mode: item.mode ?? 0o755, ...owner }, item.from);
    }
  }
  return { path: file, ...(await writer.close()) };
}

/**
 * Copies an archive, without the paths that match, without device nodes where `devices` is false, and with all
 * times fixed.
 */
export async function filterTar(from: string, to: string, remove: string[], devices: boolean): Promise<LayerFile> {
  const dropped = pathMatcher(remove);
  const writer = new TarWriter(to);
  await readTar(fs.createReadStream(from, { highWaterMark: 1 << 20 }), async (header, content) => {
    const name = relative(header.name);
    const isDevice = header.type === "character-device" || header.type === "block-device" || header.type === "fifo";
    if (name === "" || dropped(`/${name}`) || (isDevice && !devices)) {
      content.resume();
      return;
    }
    const folder = header.type === "directory";
    await writer.copy({ ...header, name: folder ? `${name}/` : name, ...linkTarget(header) }, content);
  });
  return { path: to, ...(await writer.close()) };
}

/** A hard link's target is a name in the archive and must be spelled as the names are. */
const linkTarget = (header: { type?: string | null; linkname?: string | null }): { linkname?: string } =>
  header.type === "link" && header.linkname ? { linkname: relative(header.linkname) } : {};

const relative = (name: string): string => path.posix.normalize(`/${name}`).replace(/^\/+|\/+$/g, "");
