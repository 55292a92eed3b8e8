import * as fs from "node:fs";
import * as path from "node:path";
import { createHash } from "node:crypto";
import type { Config } from "../config";

/** What a connection needs. `fingerprint` differs whenever any of it does, and tells nothing about it. */
export interface Credentials {
  host: string;
  port: number;
  database: string;
  user: string;
  password: string;
  ca?: string;
  fingerprint: string;
}

/**
 * Reads the mounted files.
 * @throws Error that names the file, never its content.
 */
export function readCredentials(from: Config["database"]): Credentials {
  const read = (name: string): string => {
    const file = path.join(from.folder, name);
    let text: string;
    try {
      text = fs.readFileSync(file, "utf8");
    } catch (error) {
      throw new Error(`cannot read ${file}: ${(error as NodeJS.ErrnoException).code}`);
    }
    // Only the line's end goes: a password may begin or end with a space.
    const value = text.replace(/\r?\n$/, "");
    if (value === "") throw new Error(`${file} is empty`);
    return value;
  };
  const host = read("host");
  const port = read("port");
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65535) {
    throw new Error(`${path.join(from.folder, "port")} holds no port number`);
  }
  let ca: string | undefined;
  if (from.tls === "verify-full") {
    try {
      ca = fs.readFileSync(from.caFile, "utf8");
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      throw new Error(`cannot read the CA ${from.caFile}: ${code} (set DB_TLS=off for a database without TLS)`);
    }
    if (!ca.includes("BEGIN CERTIFICATE")) throw new Error(`${from.caFile} holds no certificate`);
  }
  const credentials = {
    host,
    port: Number(port),
    database: read("dbname"),
    user: read("username"),
    password: read("password"),
    ca,
  };
  const fingerprint = createHash("sha256").update(JSON.stringify(credentials)).digest("hex").slice(0, 16);
  return { ...credentials, fingerprint };
}

/** Milliseconds of quiet after a change before the files are read: a mount swaps several at once. */
const DEBOUNCE = 100;

/** Milliseconds between looks without a notice: some file systems give none. */
const POLL = 30_000;

/**
 * Calls `changed` after something in the folders of the credentials has changed. A mounted Secret changes by renaming
 * its `..data` link, which is an event of the folder and not of the files.
 * @returns a function that ends the watch.
 */
export function watchCredentials(from: Config["database"], changed: () => void): () => void {
  const folders = [from.folder, ...(from.tls === "verify-full" ? [path.dirname(from.caFile)] : [])];
  let timer: NodeJS.Timeout | undefined;
  const notice = (): void => {
    clearTimeout(timer);
    timer = setTimeout(changed, DEBOUNCE).unref();
  };
  const watchers: fs.FSWatcher[] = [];
  for (const folder of new Set(folders)) {
    try {
      const watcher = fs.watch(folder, { persistent: false }, notice);
      // A watch that breaks (the folder was replaced) leaves the slow look below.
      watcher.on("error", () => watcher.close());
      watchers.push(watcher);
    } catch {
      // No inotify, or no such folder yet: the slow look below finds the change.
    }
  }
  const poll = setInterval(changed, POLL).unref();
  return () => {
    clearTimeout(timer);
    clearInterval(poll);
    for (const watcher of watchers) watcher.close();
  };
}
