import * as fs from "node:fs";
import * as path from "node:path";
import { type BackupSettings, type BackupStore, listBackups, openStore, seconds } from "../../components/backup";
import type { Settings } from "../../stacks/settings";
import { stateDir, writeAtomically } from "../paths";

/** The newest whole backup of a stack. */
export interface LastBackup {
  id: string;
  /** The moment that its data is of. */
  taken: Date;
  ageSeconds: number;
  /** Where it is. */
  place: string;
}

/** The store that the settings name, or the state directory's. */
export function storeOf(settings: BackupSettings, to?: string): BackupStore {
  return openStore(to ?? settings.store ?? path.join(stateDir(), "backups"), settings);
}

const noteFile = (stack: string): string => path.join(stateDir(), "backup", `${stack}.json`);

/** Notes a backup that was taken, or found, so that `doctor` need not ask the store. */
export function noteBackup(stack: string, last: { id: string; taken: string; place: string }): void {
  writeAtomically(noteFile(stack), JSON.stringify(last, null, 2), 0o600);
}

function noted(stack: string): { id: string; taken: string; place: string } | undefined {
  try {
    return JSON.parse(fs.readFileSync(noteFile(stack), "utf8")) as { id: string; taken: string; place: string };
  } catch {
    return undefined; // none, or a file that was cut short: the store knows
  }
}

/**
 * The newest backup of a stack that is whole, by the store's own list. For gates before something risky.
 * @returns undefined where there is none @throws StoreError where the store can't be read
 */
export async function lastBackup(
  stack: string,
  settings: Pick<Settings, "backup">,
  to?: string,
): Promise<LastBackup | undefined> {
  const store = storeOf(settings.backup, to);
  const whole = (await listBackups(store, stack)).filter(({ summary }) => summary !== undefined);
  const newest = whole.at(-1)?.summary;
  if (!newest) return undefined;
  return { id: newest.id, ...ageOf(newest.taken), place: store.place };
}

/** The same by what this computer noted, without a word to the store: quick, and blind to what others took. */
export function lastNoted(stack: string): LastBackup | undefined {
  const last = noted(stack);
  return last && { id: last.id, ...ageOf(last.taken), place: last.place };
}

function ageOf(taken: string): { taken: Date; ageSeconds: number } {
  const moment = new Date(taken);
  return { taken: moment, ageSeconds: Math.max(0, Math.round((Date.now() - moment.getTime()) / 1000)) };
}

/** Whether a backup is younger than the stack's settings ask for. */
export const isFresh = (last: LastBackup | undefined, { maxAge }: BackupSettings): boolean =>
  last !== undefined && last.ageSeconds <= seconds(maxAge);
