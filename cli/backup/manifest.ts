import { text } from "node:stream/consumers";
import { Readable } from "node:stream";
import { z } from "zod";
import { AgeError, type BackupStore, decrypted, encrypting, keyOf, type Summary } from "../../components/backup";
import { UserError } from "../ui";

const table = z.object({
  /** With its schema. */
  table: z.string(),
  rows: z.number(),
  /** Of all rows, whatever their order: the sum of 60 bits of each row's MD5. */
  sum: z.string(),
});
export type TableFacts = z.infer<typeof table>;

const database = z.object({
  namespace: z.string(),
  /** Of the CloudNativePG cluster. */
  cluster: z.string(),
  database: z.string(),
  tables: z.array(table),
});
export type DatabaseFacts = z.infer<typeof database>;

const vault = z.object({
  /** SHA-256 of the root authority's certificate. */
  rootAuthority: z.string(),
  /** A value in `kv` that the keeper may read. */
  value: z.object({ path: z.string(), version: z.number(), sha256: z.string() }).optional(),
});
export type VaultFacts = z.infer<typeof vault>;

/** An answer of the API to GET with a row in it. */
const row = z.object({ path: z.string(), sha256: z.string() });
export type RowFacts = z.infer<typeof row>;

/** What a backup says of itself to who has the passphrase, and what a restore is held against. */
const manifestSchema = z.object({
  stack: z.string(),
  id: z.string(),
  taken: z.string(),
  /** What the parts are encrypted with: 256 random bits, other ones for each backup. */
  key: z.string(),
  /** Digests of the parts as they are in the store. */
  parts: z.record(z.string(), z.object({ bytes: z.number(), sha256: z.string() })),
  /** Artefact to version. */
  versions: z.record(z.string(), z.string()),
  /** The stack's file. */
  settings: z.string(),
  databases: z.array(database),
  vault: vault.optional(),
  row: row.optional(),
});
export type Manifest = z.infer<typeof manifestSchema>;

export const manifestName = "manifest.age";

/** Writes the manifest, encrypted with the stack's passphrase. */
export async function writeManifest(store: BackupStore, manifest: Manifest, passphrase: string): Promise<void> {
  const encrypted = Readable.from([Buffer.from(JSON.stringify(manifest))]).pipe(await encrypting(passphrase));
  await store.put(keyOf(manifest.stack, manifest.id, manifestName), encrypted);
}

/** @throws UserError where it is not the passphrase's, is damaged, or says something else than the summary */
export async function readManifest(store: BackupStore, summary: Summary, passphrase: string): Promise<Manifest> {
  const { stack, id } = summary;
  const key = keyOf(stack, id, manifestName);
  let json: string;
  try {
    json = await text(decrypted(passphrase, await store.get(key)));
  } catch (error) {
    if (!(error instanceof AgeError)) throw error;
    if (error.cause === "damaged") throw new UserError(`the backup ${id} is damaged: ${key} ${error.message}`);
    throw new UserError(
      `the passphrase is not the one of the backup ${id} of ${stack}: give that of the time it was taken`,
    );
  }
  const { success, data } = manifestSchema.safeParse(JSON.parse(json));
  if (!success) throw new UserError(`the backup ${id} is damaged: ${key} is no manifest`);
  const same = data.stack === stack && data.id === id && JSON.stringify(data.parts) === JSON.stringify(summary.parts);
  if (!same) throw new UserError(`the backup ${id} was tampered with: its summary is not what its manifest says`);
  return data;
}
