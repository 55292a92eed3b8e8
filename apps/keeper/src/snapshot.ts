import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { gunzipSync } from "node:zlib";
import { readArguments } from "./arguments";
import { loginAs } from "./configure/base";
import { patiently } from "./configure/configure";
import { HttpsClient } from "./http";
import { log } from "./log";
import { VaultClient } from "./vault/client";

/** Files of a tar archive, by name. Raft's snapshots hold plain files with short names only. */
function filesOfTar(tar: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (let at = 0; at + 512 <= tar.length;) {
    const header = tar.subarray(at, at + 512);
    const name = header.subarray(0, 100).toString("utf8").replace(/\0.*$/s, "");
    if (name === "") break;
    const size = Number.parseInt(header.subarray(124, 136).toString("utf8"), 8);
    files.set(name, tar.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

/**
 * Checks that a snapshot is whole, by the digests that it carries.
 * @throws where it is not
 */
export function checkSnapshot(archive: Buffer): void {
  const files = filesOfTar(gunzipSync(archive));
  const sums = files.get("SHA256SUMS")?.toString("utf8").trim().split("\n") ?? [];
  if (sums.length < 2) throw new Error("no snapshot of Vault's: it has no list of digests");
  for (const line of sums) {
    const [wanted, name = ""] = line.trim().split(/\s+/);
    const content = files.get(name);
    if (!content) throw new Error(`the snapshot is not whole: ${name} is missing`);
    const found = createHash("sha256").update(content).digest("hex");
    if (found !== wanted) throw new Error(`the snapshot is damaged: ${name} has another digest`);
  }
}

/** The oldest of a folder's snapshots, beyond so many. */
export function surplus(files: string[], keep: number): string[] {
  const snapshots = files.filter((file) => /^vault-\d{8}T\d{6}Z\.snap$/.test(file)).sort();
  return snapshots.slice(0, Math.max(0, snapshots.length - keep));
}

/** Takes a snapshot, checks it, and removes what is too old. */
export async function snapshot(argv: string[]): Promise<void> {
  const names = readArguments(argv, { needed: ["address", "ca", "login", "folder", "keep"] });
  const front = VaultClient.at(names.address, new HttpsClient(names.ca));
  await patiently(async () => {
    const vault = await loginAs(front, "snapshots", fs.readFileSync(names.login, "utf8").trim());
    if (!vault) throw new Error("Vault does not let the snapshots' account in");
    const { body } = await vault.raw("GET", "sys/storage/raft/snapshot", undefined, 300_000);
    checkSnapshot(body);
    const stamp = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
    const file = path.join(names.folder, `vault-${stamp}.snap`);
    fs.writeFileSync(`${file}.part`, body, { mode: 0o600 });
    fs.renameSync(`${file}.part`, file);
    log("snapshot kept", { file, bytes: body.length });
  });
  for (const old of surplus(fs.readdirSync(names.folder), Number(names.keep))) {
    fs.rmSync(path.join(names.folder, old));
  }
}
