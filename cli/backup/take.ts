import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { PassThrough, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { gzipSync } from "node:zlib";
import { openArtifacts } from "../../artifacts";
import {
  type BackupStore,
  encrypting,
  finish,
  format,
  idOf,
  keyOf,
  Measure,
  type PartSummary,
  prune,
  type Summary,
} from "../../components/backup";
import { Engine } from "../engine";
import { loginOf } from "../kube";
import { kubeconfigFile, root } from "../paths";
import { checkSettings, openEngine } from "../prepare";
import { savedReport } from "../stack";
import { say, UserError } from "../ui";
import { openCluster } from "../vault/cluster";
import { noteBackup, storeOf } from "./last";
import { type Manifest, writeManifest } from "./manifest";
import { beginDump, dumpRoles, listDatabases } from "./parts/database";
import { readObjects } from "./parts/objects";
import { readRow } from "./parts/row";
import { readVaultFacts, takeVaultSnapshot } from "./parts/vault";
import { readPassphrase } from "./passphrase";

/** What scrypt costs for keys of 256 random bits: there is nothing to be guessed. */
const leastWork = 1;

/** A backup that was taken. */
export interface Taken {
  summary: Summary;
  place: string;
  /** Ids of those that are not kept any more. */
  pruned: string[];
}

/** Writes the parts of one backup, each encrypted before it leaves this process. */
class Writer {
  readonly parts: Record<string, PartSummary> = {};
  readonly key = randomBytes(32).toString("hex");

  constructor(
    private readonly store: BackupStore,
    private readonly stack: string,
    private readonly id: string,
  ) {}

  /** @param ended what must have ended well before the part is one */
  async write(name: string, content: Readable | Buffer | string, ended?: Promise<void>): Promise<void> {
    // A store makes an object of what ended: a dump that failed must not end.
    const measure = new Measure(ended);
    const source = content instanceof Readable ? content : Readable.from([Buffer.from(content)]);
    const out = new PassThrough();
    const moved = pipeline(source, await encrypting(this.key, leastWork), measure, out);
    const [kept] = await Promise.allSettled([this.store.put(keyOf(this.stack, this.id, `${name}.age`), out), moved]);
    await moved;
    if (kept.status === "rejected") throw kept.reason;
    this.parts[name] = { bytes: measure.bytes, sha256: measure.sha256 };
  }
}

/**
 * Takes a backup of a stack that is up: everything that neither the repository nor the graph can make anew. It counts only
 * once its summary is written, which is the last thing; whatever goes wrong before leaves a half that nobody takes for one.
 *
 * @param to store instead of the settings'
 */
export async function takeBackup(stack: string, to?: string): Promise<Taken> {
  const settings = checkSettings(stack);
  const store = storeOf(settings.backup, to);
  const passphrase = readPassphrase();
  const cluster = openCluster(kubeconfigFile(stack), stack);
  const login = loginOf(kubeconfigFile(stack));
  const begun = new Date();
  const id = idOf(begun);
  const writer = new Writer(store, stack, id);

  const databases: Manifest["databases"] = [];
  for (const database of await listDatabases(cluster)) {
    const name = `${database.namespace}-${database.cluster}`;
    await writer.write(`roles-${name}`, await dumpRoles(cluster, login, database));
    const dump = await beginDump(cluster, login, database);
    await writer.write(`database-${name}`, dump.content, dump.ended);
    databases.push(dump.facts);
  }
  const row = await readRow(savedReport(stack));
  const vault = settings.vault.enabled ? await readVaultFacts(cluster) : undefined;
  if (vault) await writer.write("vault", await takeVaultSnapshot(cluster));
  await writer.write("objects", JSON.stringify(await readObjects(cluster)));
  await writer.write("state", gzipSync(await exportState(await openEngine(), stack)));

  const taken = begun.toISOString();
  const manifest: Manifest = {
    stack,
    id,
    taken,
    key: writer.key,
    parts: writer.parts,
    versions: Object.fromEntries(
      openArtifacts()
        .list()
        .map(({ name, version }) => [name, version]),
    ),
    settings: fs.readFileSync(path.join(root, `Pulumi.${stack}.yaml`), "utf8"),
    databases,
    ...(vault && { vault }),
    ...(row && { row }),
  };
  await writeManifest(store, manifest, passphrase);
  const seconds = (Date.now() - begun.getTime()) / 1000;
  const summary: Summary = { format, stack, id, taken, seconds, parts: writer.parts };
  await finish(store, summary);
  noteBackup(stack, { id, taken, place: store.place });
  const pruned = await prune(store, stack, settings.backup.keep);
  return { summary, place: store.place, pruned };
}

/** The stack's state as the backend has it: its secrets are encrypted with the passphrase. */
export async function exportState(engine: Engine, stack: string): Promise<string> {
  const exported = await engine.run(["stack", "export", "--stack", stack]);
  if (exported.code !== 0) throw new UserError(`the state of ${stack} can't be read: ${exported.stderr.trim()}`);
  return exported.stdout;
}

/** What `backup` ends with. */
export function sayTaken({ summary, place, pruned }: Taken): void {
  const bytes = Object.values(summary.parts).reduce((sum, part) => sum + part.bytes, 0);
  say(`backup ${summary.id}: ${Math.ceil(bytes / 1024)} KiB in ${summary.seconds.toFixed(1)} s, in ${place}`);
  if (pruned.length > 0) say(`not kept any more: ${pruned.join(", ")}`);
}
