import * as fs from "node:fs";
import * as path from "node:path";
import { log } from "./log";
import { Signal, signalVault } from "./process";

/** Makes the folder that the server keeps its data in: Raft does not make it itself. */
export function prepareStore(store: string): void {
  fs.mkdirSync(store, { recursive: true, mode: 0o700 });
}

/** Whether a server has ever written there. */
export const isEmpty = (store: string): boolean => !fs.existsSync(store) || fs.readdirSync(store).length === 0;

/**
 * Sets a server's data aside and restarts it with none. The one use of this: an initialisation whose answer was lost, so
 * that nobody ever had a key to it and nothing can ever be in it. What was set aside before is deleted.
 */
export function setAside(store: string, signal: Signal = signalVault): void {
  const aside = `${store}.set-aside`;
  fs.rmSync(aside, { recursive: true, force: true });
  if (fs.existsSync(store)) fs.renameSync(store, aside);
  prepareStore(store);
  log("initialisation was given up: data set aside, server restarts", { aside });
  // It still writes into the folder that was renamed, and must not go on.
  signal("SIGKILL");
}

/** How many initialisations were given up before this store was begun. */
export function generationOf(store: string): number {
  const file = generationFile(store);
  return fs.existsSync(file) ? Number(fs.readFileSync(file, "utf8")) : 0;
}

export function noteGeneration(store: string, generation: number): void {
  fs.writeFileSync(generationFile(store), String(generation));
}

/** Written once the keys of an initialisation are in their Secret: from then on the data is never set aside. */
export const noteKept = (store: string): void => fs.writeFileSync(keptFile(store), "");
export const wasKept = (store: string): boolean => fs.existsSync(keptFile(store));

/** Stands from before a restore until after it: what is there meanwhile is neither the old data nor a new Vault. */
export const beginRestore = (store: string): void => fs.writeFileSync(restoreFile(store), "");
export const endRestore = (store: string): void => fs.rmSync(restoreFile(store), { force: true });
export const isHalfRestored = (store: string): boolean => fs.existsSync(restoreFile(store));

const restoreFile = (store: string): string => path.join(path.dirname(store), "restoring");
const generationFile = (store: string): string => path.join(path.dirname(store), "generation");
const keptFile = (store: string): string => path.join(path.dirname(store), "keys-are-kept");
