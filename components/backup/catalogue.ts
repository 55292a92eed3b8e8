import { z } from "zod";
import { text } from "node:stream/consumers";
import { Readable } from "node:stream";
import { type BackupStore, StoreError } from "./store";

/** Layout of a backup in its store. What is newer is refused by name. */
export const format = 1;

const part = z.strictObject({
  /** Of the encrypted object, for `verify` without a passphrase. */
  bytes: z.int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/**
 * What anybody may know of a backup: `<stack>/<id>/backup.json`. It is written last, so a backup with one is whole. Nothing
 * that is decided by it is believed before the encrypted manifest says the same.
 */
const summarySchema = z.object({
  format: z.int(),
  stack: z.string(),
  /** When it was begun, as `20260131T120000Z`; also the order. */
  id: z.string(),
  /** The moment that its data is of, ISO 8601. */
  taken: z.string(),
  seconds: z.number(),
  parts: z.record(z.string(), part),
});

export type Summary = z.infer<typeof summarySchema>;
export type PartSummary = z.infer<typeof part>;

export const idPattern = /^\d{8}T\d{6}Z$/;

/** The id of a backup that begins now. */
export const idOf = (moment: Date): string => moment.toISOString().replace(/[-:]|\.\d+/g, "");

export const keyOf = (stack: string, id: string, name: string): string => `${stack}/${id}/${name}`;
export const summaryName = "backup.json";

/** A backup as the store has it. */
export interface Listed {
  id: string;
  bytes: number;
  /** Undefined where the backup was never finished, or is being taken. */
  summary?: Summary;
}

/** Reads a summary. @throws StoreError in words for a person */
export function readSummary(json: string, where: string): Summary {
  let given: unknown;
  try {
    given = JSON.parse(json);
  } catch {
    throw new StoreError(`${where} is damaged: it is no JSON`);
  }
  const newer = (given as { format?: unknown } | null)?.format;
  if (typeof newer === "number" && newer > format) {
    throw new StoreError(
      `${where} was taken by a newer version of this project (layout ${newer}): restore with that one`,
    );
  }
  const { success, data } = summarySchema.safeParse(given);
  if (!success) throw new StoreError(`${where} is damaged: it is not what a backup says of itself`);
  return data;
}

/** A stack's backups, oldest first; halves included. Damaged summaries count as halves. */
export async function listBackups(store: BackupStore, stack: string): Promise<Listed[]> {
  const objects = await store.list(`${stack}/`);
  const ids = [...new Set(objects.map(({ key }) => key.split("/")[1] ?? ""))].filter((id) => idPattern.test(id));
  return Promise.all(
    ids.sort().map(async (id): Promise<Listed> => {
      const own = objects.filter(({ key }) => key.startsWith(`${stack}/${id}/`));
      const bytes = own.reduce((sum, one) => sum + one.bytes, 0);
      const key = keyOf(stack, id, summaryName);
      if (!own.some((one) => one.key === key)) return { id, bytes };
      try {
        return { id, bytes, summary: readSummary(await text(await store.get(key)), key) };
      } catch {
        return { id, bytes };
      }
    }),
  );
}

/** Stacks that the store has backups of. */
export async function listStacks(store: BackupStore): Promise<string[]> {
  const objects = await store.list("");
  return [
    ...new Set(objects.filter(({ key }) => key.endsWith(`/${summaryName}`)).map(({ key }) => key.split("/")[0]!)),
  ];
}

/** Writes what makes a backup one. */
export async function finish(store: BackupStore, summary: Summary): Promise<void> {
  const json = `${JSON.stringify(summary, null, 2)}\n`;
  await store.put(keyOf(summary.stack, summary.id, summaryName), Readable.from([Buffer.from(json)]));
}

/** How many days, weeks and months are kept. */
export interface Keep {
  daily: number;
  weekly: number;
  monthly: number;
}

const dayOf = (id: string): string => id.slice(0, 8);
const monthOf = (id: string): string => id.slice(0, 6);
/** Number of the week since 1970, weeks beginning on Monday. */
function weekOf(id: string): string {
  const day = Date.UTC(Number(id.slice(0, 4)), Number(id.slice(4, 6)) - 1, Number(id.slice(6, 8))) / 86_400_000;
  return String(Math.floor((day + 3) / 7));
}

/**
 * Which whole backups are not kept: of each day, week and month the newest counts, and so many of those are kept. Of the
 * present day all are kept, so that a second backup before a risky step never costs the first.
 */
export function surplus(ids: string[], keep: Keep): string[] {
  const newestFirst = [...ids].sort().reverse();
  const kept = new Set<string>(newestFirst.filter((id) => dayOf(id) === dayOf(newestFirst[0] ?? "")));
  const rules: [(id: string) => string, number][] = [
    [dayOf, keep.daily],
    [weekOf, keep.weekly],
    [monthOf, keep.monthly],
  ];
  for (const [period, count] of rules) {
    const seen = new Set<string>();
    for (const id of newestFirst) {
      if (seen.has(period(id))) continue;
      if (seen.size >= count) break;
      seen.add(period(id));
      kept.add(id);
    }
  }
  return ids.filter((id) => !kept.has(id)).sort();
}

/** Hours after which a half of a backup is nobody's any more. */
const halfHours = 24;

/** Takes away what is not kept, and halves of yesterday. Returns their ids. */
export async function prune(store: BackupStore, stack: string, keep: Keep, now = new Date()): Promise<string[]> {
  const all = await listBackups(store, stack);
  const limit = idOf(new Date(now.getTime() - halfHours * 3_600_000));
  const gone = [
    ...surplus(
      all.filter(({ summary }) => summary).map(({ id }) => id),
      keep,
    ),
    ...all.filter(({ id, summary }) => !summary && id < limit).map(({ id }) => id),
  ];
  for (const id of gone) {
    // First what makes it a backup: one that is half gone must not look whole.
    await store.remove(keyOf(stack, id, summaryName));
    for (const { key } of await store.list(`${stack}/${id}/`)) await store.remove(key);
  }
  return gone;
}
