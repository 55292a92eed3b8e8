import * as fs from "node:fs";
import * as path from "node:path";
import type { RowFacts } from "../backup/manifest";
import { stateFolder, writeAtomically } from "../paths";

/** What the last sync brought. */
export interface Synced {
  of: string;
  id: string;
  /** ISO 8601, as of the backup. */
  taken: string;
  /** What the API is to serve once it is promoted. */
  row?: RowFacts;
  /** Id of a backup that a later sync was bringing when it was ended: what is there is of two moments. */
  unfinished?: string;
}

const fileOf = (stack: string): string => path.join(stateFolder("standby"), `${stack}.json`);

export function noteSync(stack: string, synced: Synced): void {
  writeAtomically(fileOf(stack), JSON.stringify(synced, null, 2), 0o600);
}

/** Undefined where there never was one from this computer. */
export function lastSync(stack: string): Synced | undefined {
  const file = fileOf(stack);
  return fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, "utf8")) as Synced) : undefined;
}
