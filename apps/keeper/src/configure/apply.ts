import { log } from "../log";
import { VaultClient, VaultError } from "../vault/client";
import { applyConnection, connectionPath } from "./database";
import { Document } from "./document";
import { generateOnce } from "./generated";
import { wantedObjects, Wanted } from "./objects";
import { digestOf, Records } from "./record";

/** What a run did. */
export interface Outcome {
  changed: string[];
  removed: string[];
  unchanged: number;
}

/**
 * Makes Vault hold what the document says, and nothing more that an earlier document of the same name had made. What will
 * be made is noted before it is, so that a run that is killed leaves nothing that nobody knows of.
 */
export async function applyDocument(vault: VaultClient, name: string, document: Document): Promise<Outcome> {
  const records = new Records(vault, name);
  await records.load();
  const outcome: Outcome = { changed: [], removed: [], unchanged: 0 };
  const objects = wantedObjects(document);
  const connections = Object.entries(document.database.connections);
  const wanted = [...objects.map(({ path }) => path), ...connections.map(([one]) => connectionPath(one))];
  for (const path of wanted) records.all[path] ??= { written: "", seen: "" };
  await records.save();

  const note = (path: string, changed: boolean): void => {
    if (changed) outcome.changed.push(path);
    else outcome.unchanged += 1;
  };
  // A role of the database engine may be written before its connection, but a login needs both: roles come first.
  for (const object of objects) note(object.path, await applyObject(vault, records, object));
  for (const [one, connection] of connections) {
    note(connectionPath(one), await applyConnection(vault, records, one, connection));
  }
  for (const [path, values] of Object.entries(document.kv)) note(`kv/${path}`, await generateOnce(vault, path, values));

  for (const path of Object.keys(records.all)
    .filter((known) => !wanted.includes(known))
    .reverse()) {
    await forget(vault, path);
    delete records.all[path];
    await records.save();
    outcome.removed.push(path);
  }
  await records.save();
  log("applied", { document: name, ...outcome });
  return outcome;
}

async function applyObject(vault: VaultClient, records: Records, { path, body }: Wanted): Promise<boolean> {
  const written = digestOf(body);
  const known = records.all[path];
  const before = digestOf((await vault.read(path))?.data);
  if (known?.written === written && known.seen === before) return false;
  await vault.write(path, body);
  records.all[path] = { written, seen: digestOf((await vault.read(path))?.data) };
  await records.save();
  return true;
}

async function forget(vault: VaultClient, path: string): Promise<void> {
  try {
    await vault.remove(path);
  } catch (error) {
    if (!(error instanceof VaultError && error.status === 404)) throw error;
  }
}
