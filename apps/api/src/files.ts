import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import type { ClientCertificate } from "./config";

/** What a TLS client shows of itself. */
export interface Identity {
  /** PEM: the certificate, then its chain. */
  cert: string;
  /** PEM. */
  key: string;
  /** End of the certificate's validity, seconds since 1970. */
  notAfter: number;
}

/** @throws Error that names the file, never its content */
export function readFile(file: string): string {
  try {
    return fs.readFileSync(file, "utf8");
  } catch (error) {
    throw new Error(`cannot read ${file}: ${(error as NodeJS.ErrnoException).code}`);
  }
}

/** A file with one value. @throws Error that names the file, never its content */
export function readValue(file: string): string {
  // Only the line's end goes: a password may begin or end with a space.
  const value = readFile(file).replace(/\r?\n$/, "");
  if (value === "") throw new Error(`${file} is empty`);
  return value;
}

/** A file with a port number. @throws Error that names the file */
export function readPort(file: string): number {
  const port = readValue(file);
  if (/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65535) return Number(port);
  throw new Error(`${file} holds no port number`);
}

/** A login out of one JSON document, which is never half of one and half of another. @throws Error that names the file */
export function readLogin(file: string): { username: string; password: string } {
  let found: { username?: unknown; password?: unknown } | undefined;
  const text = readFile(file);
  try {
    found = JSON.parse(text) as typeof found;
  } catch {
    // The parser's own message would tell a piece of the content.
  }
  const { username, password } = found ?? {};
  if (typeof username !== "string" || typeof password !== "string" || username === "" || password === "") {
    throw new Error(`${file} holds no JSON with username and password`);
  }
  return { username, password };
}

/** Certificates that sign others. @throws Error that names the file */
export function readAuthority(file: string): string {
  const pem = readFile(file);
  if (!pem.includes("BEGIN CERTIFICATE")) throw new Error(`${file} holds no certificate`);
  return pem;
}

/**
 * A certificate with its key. While two files are replaced one after the other, they do not belong together for a moment;
 * that is refused here, and the next look finds both.
 *
 * @throws Error that names the file, never its content
 */
export function readIdentity({ certFile, keyFile }: ClientCertificate): Identity {
  const cert = readAuthority(certFile);
  const key = readFile(keyFile);
  let leaf: X509Certificate;
  let matches: boolean;
  try {
    leaf = new X509Certificate(cert);
    matches = leaf.checkPrivateKey(createPrivateKey(key));
  } catch {
    throw new Error(`${certFile} and ${keyFile} hold no certificate with its private key`);
  }
  if (!matches) throw new Error(`the private key in ${keyFile} is not the one of the certificate in ${certFile}`);
  return { cert, key, notAfter: Date.parse(leaf.validTo) / 1000 };
}

/** Differs whenever the values do, and tells nothing about them. */
export const fingerprintOf = (values: unknown): string =>
  createHash("sha256").update(JSON.stringify(values)).digest("hex").slice(0, 16);

/** Milliseconds of quiet after a change before the files are read: several change at once. */
const DEBOUNCE = 100;

/** Milliseconds between looks without a notice: some file systems give none. */
const POLL = 30_000;

/**
 * Calls `changed` after something in the files' folders has changed. A mounted Secret changes by renaming its `..data`
 * link, and Vault Agent renames a new file over the old: both are events of the folder, not of the file.
 *
 * @returns a function that ends the watch
 */
export function watchFiles(files: (string | undefined)[], changed: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const notice = (): void => {
    clearTimeout(timer);
    timer = setTimeout(changed, DEBOUNCE).unref();
  };
  const watchers: fs.FSWatcher[] = [];
  const folders = files.flatMap((file) => (file === undefined ? [] : [path.dirname(file)]));
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
