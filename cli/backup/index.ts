import { pipeline } from "node:stream/promises";
import { Writable } from "node:stream";
import { readArguments } from "../arguments";
import {
  AgeError,
  type BackupStore,
  decrypted,
  keyOf,
  listBackups,
  Measure,
  type Summary,
} from "../../components/backup";
import { checkSettings } from "../prepare";
import { chosenStack } from "../stack";
import { say, table, UserError } from "../ui";
import { storeOf } from "./last";
import { type Manifest, readManifest } from "./manifest";
import { readPassphrase } from "./passphrase";
import { sayTaken, takeBackup } from "./take";

export const backupUsage = `usage: npm run backup -- [verb] [--stack NAME] [--to STORE]

  (none)        take a backup of the stack, encrypted with its passphrase
  ls            list the stack's backups                                   --json
  verify [ID]   read a backup to its end, and check that it can be opened  default: the newest

STORE is a folder, or s3://BUCKET/PREFIX; without --to, the setting backup.store.
To get a stack back: npm run restore -- --help`;

/** `npm run backup`. Returns the exit code. */
export async function backup(argv: string[]): Promise<number> {
  const { values, positionals } = parse(argv);
  const [verb, id, ...more] = positionals;
  if (values.help) {
    process.stdout.write(`${backupUsage}\n`);
    return 0;
  }
  if (more.length > 0 || (verb !== undefined && verb !== "ls" && verb !== "verify") || (verb === "ls" && id)) {
    throw new UserError(`no verb "${positionals.join(" ")}"\n\n${backupUsage}`);
  }
  const stack = chosenStack(values.stack);
  if (verb === undefined) {
    sayTaken(await takeBackup(stack, values.to));
    return 0;
  }
  const store = storeOf(checkSettings(stack).backup, values.to);
  return verb === "ls" ? list(store, stack, values.json === true) : verify(store, stack, id);
}

function parse(argv: string[]) {
  return readArguments(backupUsage, {
    args: argv,
    allowPositionals: true,
    options: {
      stack: { type: "string", short: "s" },
      to: { type: "string" },
      json: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
}

async function list(store: BackupStore, stack: string, json: boolean): Promise<number> {
  const all = await listBackups(store, stack);
  if (json) {
    process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
    return 0;
  }
  const rows = all.map(({ id, bytes, summary }) => [
    id,
    summary?.taken ?? "",
    `${Math.ceil(bytes / 1024)} KiB`,
    summary ? "whole" : "NOT WHOLE",
  ]);
  process.stdout.write(
    `${rows.length > 0 ? table(["id", "taken", "size", "state"], rows) : `no backups of ${stack}`}\n`,
  );
  say(`in ${store.place}`);
  return 0;
}

/** The backup of that id, or the newest whole one. @throws UserError where there is none */
export async function chooseBackup(store: BackupStore, stack: string, id?: string): Promise<Summary> {
  const all = await listBackups(store, stack);
  if (id === undefined) {
    const newest = all.filter(({ summary }) => summary).at(-1)?.summary;
    if (!newest) throw new UserError(`${store.place} has no whole backup of ${stack}`);
    return newest;
  }
  const found = all.find((one) => one.id === id);
  if (!found)
    throw new UserError(`${store.place} has no backup ${id} of ${stack}: see npm run backup -- ls --stack ${stack}`);
  if (!found.summary) throw new UserError(`the backup ${id} is not whole: it broke off, or is being taken`);
  return found.summary;
}

/**
 * Reads every part to its end: its digest must be the manifest's, and it must open. Nothing is kept.
 * @returns the manifest @throws UserError naming the part that is not well
 */
export async function checkBackup(store: BackupStore, summary: Summary, passphrase: string): Promise<Manifest> {
  const manifest = await readManifest(store, summary, passphrase);
  for (const [name, { bytes, sha256 }] of Object.entries(manifest.parts)) {
    const key = keyOf(summary.stack, summary.id, `${name}.age`);
    const measure = new Measure();
    const encrypted = await store.get(key);
    encrypted.on("error", (error) => measure.destroy(error));
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    await pipeline(decrypted(manifest.key, encrypted.pipe(measure)), nowhere).catch((error: unknown) => {
      if (!(error instanceof AgeError)) throw error;
      throw new UserError(`the backup ${summary.id} is damaged: ${key} ${error.message}`);
    });
    if (measure.bytes !== bytes || measure.sha256 !== sha256) {
      throw new UserError(`the backup ${summary.id} is damaged: ${key} is not what was written`);
    }
  }
  return manifest;
}

async function verify(store: BackupStore, stack: string, id: string | undefined): Promise<number> {
  const summary = await chooseBackup(store, stack, id);
  const manifest = await checkBackup(store, summary, readPassphrase());
  const rows = manifest.databases.flatMap(({ tables }) => tables).reduce((sum, { rows: count }) => sum + count, 0);
  say(
    `backup ${summary.id} of ${stack} is whole: ${Object.keys(summary.parts).length} parts, ${rows} rows, taken ${summary.taken}`,
  );
  return 0;
}
