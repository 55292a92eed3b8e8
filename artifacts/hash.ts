import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { pipeline } from "node:stream/promises";

/** Hex SHA-256 of a text or bytes. */
export const sha256 = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");

/** Hex SHA-256 of a file's content, streamed. */
export async function sha256File(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(fs.createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}

/** JSON with sorted keys, so that equal values hash alike. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === "object" && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : inner,
  );
}

/** Never an input of a build: results, other people's modules, and tests. */
const NEVER = /(^|\/)(node_modules|dist|\.git)(\/|$)|_test\.go$|\.test\.ts$|~$/;

/**
 * Files below a folder that are inputs of a build, sorted, as paths relative to it.
 * @param ignore relative paths left out; one that ends in a slash stands for a folder
 */
export function inputFiles(folder: string, ignore: string[] = []): string[] {
  const found: string[] = [];
  const walk = (relative: string): void => {
    for (const item of fs.readdirSync(path.join(folder, relative), { withFileTypes: true })) {
      const name = relative === "" ? item.name : `${relative}/${item.name}`;
      if (NEVER.test(name)) continue;
      if (ignore.some((skip) => (skip.endsWith("/") ? `${name}/`.startsWith(skip) : name === skip))) continue;
      if (item.isDirectory()) walk(name);
      else if (item.isFile()) found.push(name);
    }
  };
  walk("");
  return found.sort();
}

/** Hex digest over the names and contents of a folder's input files. */
export function folderDigest(folder: string, ignore: string[] = []): string {
  const hash = createHash("sha256");
  for (const name of inputFiles(folder, ignore)) {
    hash.update(`${name}\0${sha256(fs.readFileSync(path.join(folder, name)))}\n`);
  }
  return hash.digest("hex");
}
