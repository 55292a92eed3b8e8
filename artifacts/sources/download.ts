import * as fs from "node:fs";
import * as path from "node:path";
import { createGunzip } from "node:zlib";
import { pipeline } from "node:stream/promises";
import type { DownloadSource, PartOfSource } from "../catalogue/types";
import { ArtifactError, ChecksumMismatch } from "../errors";
import { request, save } from "../http";
import { readTar } from "../image/tar";
import type { Built, BuildContext } from "./context";

/**
 * Downloads an upstream release file, and checks it against the lock; where the lock does not know it yet, against
 * upstream's own checksum file, and notes it in the lock.
 * @throws Unavailable when it is not to be had here, ChecksumMismatch when it is not what it should be
 */
export async function download(source: DownloadSource, context: BuildContext): Promise<Built> {
  const { entry, lock } = context;
  const locked = context.updateLock ? undefined : lock.upstream(entry.name, entry.version);
  const expected = locked ?? (await published(source, context));
  const file = path.join(context.scratch, "download");
  const actual = await save(await request(source.url), file);
  if (actual !== expected.sha256) {
    const by = locked ? "artifacts/lock.json" : expected.from;
    throw new ChecksumMismatch(entry.name, source.url, expected.sha256, actual, by);
  }
  if (!locked && lock.record(entry.name, entry.version, { from: source.url, sha256: actual })) {
    context.say("its digest is new in artifacts/lock.json: review and commit it");
  }
  if (source.unpack) await unpack(file, source.unpack, context.out, source.url);
  else fs.renameSync(file, path.join(context.out, entry.file));
  for (const name of fs.readdirSync(context.out)) fs.chmodSync(path.join(context.out, name), 0o755);
  return { source: source.url };
}

/** Takes files of another entry: what an official download brought along, or the names of a multi-call binary. */
export async function partOf(source: PartOfSource, context: BuildContext): Promise<Built> {
  const other = await context.need(source.entry);
  for (const [name, there] of Object.entries(source.files)) {
    const from = path.join(path.dirname(other.path), there);
    const to = path.join(context.out, name);
    fs.linkSync(from, to); // one store, one file system
  }
  return { source: other.source };
}

/** The digest in upstream's checksum file. */
async function published(source: DownloadSource, context: BuildContext): Promise<{ sha256: string; from: string }> {
  const name = decodeURIComponent(source.url.slice(source.url.lastIndexOf("/") + 1));
  if (source.checksums === undefined) {
    throw new ArtifactError(
      `${context.entry.name}: neither artifacts/lock.json nor upstream has a checksum of ${source.url}, so it cannot be verified`,
    );
  }
  const list = await (await request(source.checksums)).text();
  for (const line of list.split("\n")) {
    const [digest, file] = line.trim().split(/\s+\*?/);
    if (file === name && /^[0-9a-f]{64}$/.test(digest ?? "")) {
      return { sha256: digest as string, from: source.checksums };
    }
  }
  throw new ArtifactError(`${context.entry.name}: ${source.checksums} has no SHA-256 of ${name}`);
}

async function unpack(archive: string, members: Record<string, string>, out: string, url: string): Promise<void> {
  const missing = new Set(Object.keys(members));
  const source = fs.createReadStream(archive).pipe(createGunzip());
  await readTar(source, async (header, content) => {
    const name = header.name.replace(/^\.\//, "");
    const to = members[name];
    if (to === undefined || header.type !== "file") {
      content.resume();
      return;
    }
    missing.delete(name);
    await pipeline(content, fs.createWriteStream(path.join(out, to)));
  });
  if (missing.size > 0) throw new ArtifactError(`${url} has no ${[...missing].join(", ")}`);
}
