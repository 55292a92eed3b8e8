import * as fs from "node:fs";
import * as path from "node:path";
import { log } from "./log";
import { signalVault } from "./process";

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
export function setAside(store: string): void {
  const aside = `${store}.set-aside`;
  fs.rmSync(aside, { recursive: true, force: true });
  if (fs.existsSync(store)) fs.renameSync(store, aside);
  prepareStore(store);
  log("initialisation was given up: data set aside, server restarts", { aside });
  // It still writes into the folder that was renamed, and must not go on.
  signalVault("SIGKILL");
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

const generationFile = (store: string): string => path.join(path.dirname(store), "generation");
const keptFile = (store: string): string => path.join(path.dirname(store), "keys-are-kept");
