import { Readable } from "node:stream";
import { type BackupStore, decrypted, keyOf } from "../../components/backup";
import { VaultError } from "../../apps/keeper/src/vault/client";
import type { Manifest } from "../backup/manifest";
import {
  type Database,
  differences,
  listDatabases,
  primaryOf,
  readTables,
  restoreDatabase,
} from "../backup/parts/database";
import { type KeptObject, putObject } from "../backup/parts/objects";
import { isInitialised, loadIntoEmptyVault, loginToVault, patiently, waitUntilOpen } from "../backup/parts/vault";
import { runInPod } from "../exec/pod";
import type { Login } from "../kube";
import { say, UserError } from "../ui";
import type { AdminCluster } from "../vault/cluster";
import { readPart } from "./state";

/** What a restore works with. */
export interface Target {
  cluster: AdminCluster;
  login: Login;
  store: BackupStore;
  manifest: Manifest;
  /** Ends what waits, where the rest has failed. */
  signal: AbortSignal;
}

const recovery = { namespace: "vault", name: "vault-recovery" };
const encode = (text: string): string => Buffer.from(text).toString("base64");

/**
 * Puts the kept Secrets into an empty cluster. The bootstrap Vault's keeper finds its key with a copy of its data and restores
 * itself; a mark at the recovery keys has the primary's wait for its snapshot.
 */
export async function putObjects({ cluster, store, manifest }: Target): Promise<void> {
  const objects = JSON.parse((await readPart(store, manifest, "objects")).toString("utf8")) as KeptObject[];
  for (const object of objects) {
    const { namespace, name } = object.metadata;
    const waits = manifest.parts["vault"] && namespace === recovery.namespace && name === recovery.name;
    await putObject(cluster, waits ? { ...object, data: { ...object.data, restoring: encode(manifest.id) } } : object);
  }
  say(`put back ${objects.length} Secrets that nobody else has`);
}

/** Loads Vault's snapshot as soon as its servers answer, and lets the keeper go on. */
export async function restoreVault(target: Target): Promise<void> {
  const { cluster, store, manifest, signal } = target;
  if (!manifest.parts["vault"]) return;
  const waiting = async (): Promise<boolean> =>
    (await cluster.readSecret(recovery.namespace, recovery.name))?.["restoring"] !== undefined;
  const initialised = await patiently(600, signal, async () => {
    const answer = await isInitialised(cluster);
    if (answer === undefined) throw new Error("Vault's servers do not answer");
    return answer;
  });
  if (!initialised) {
    await loadIntoEmptyVault(cluster, await readPart(store, manifest, "vault"), signal);
  } else if (await waiting()) {
    // A run that was ended between the two. What is in there is the snapshot, or a Vault that nobody has the keys of.
    await waitUntilOpen(cluster, signal).catch((error: unknown) => {
      throw new UserError(
        `Vault was initialised and its snapshot not loaded (${(error as Error).message}): run this again with --lost`,
      );
    });
  }
  if (await waiting()) await cluster.patchSecret(recovery.namespace, recovery.name, { restoring: null });
  say("Vault has its snapshot back, and has unsealed itself");
}

/** Puts every database back as soon as it is there, and holds it against the manifest. */
export async function restoreDatabases(target: Target): Promise<void> {
  const { cluster, login, store, manifest, signal } = target;
  for (const facts of manifest.databases) {
    const { namespace, cluster: name } = facts;
    const database = await patiently(900, signal, async () => {
      const found = (await listDatabases(cluster)).find((one) => one.namespace === namespace && one.cluster === name);
      if (!found) throw new UserError(`there is no database ${namespace}/${name}`);
      await primaryOf(cluster, found);
      return found;
    });
    const part = (kind: string): string => `${kind}-${namespace}-${name}`;
    const roles = (await readPart(store, manifest, part("roles"))).toString("utf8");
    const dump = decrypted(
      manifest.key,
      await store.get(keyOf(manifest.stack, manifest.id, `${part("database")}.age`)),
    );
    await restoreDatabase(cluster, login, database, { roles, dump });
    const place = await primaryOf(cluster, database);
    const wrong = differences(facts.tables, await readTables(login, place, database.database));
    if (wrong.length > 0) throw new UserError(`${namespace}/${name} is not what it was: ${wrong.join("; ")}`);
    const rows = facts.tables.reduce((sum, table) => sum + table.rows, 0);
    say(`${namespace}/${name} has its ${rows} rows in ${facts.tables.length} tables back, each as it was`);
  }
}

/**
 * Vault had chosen its own password for the database, and the database is a new one: both get the graph's, and Vault chooses
 * anew at once.
 */
export async function joinVaultToDatabases(target: Target): Promise<void> {
  const { cluster, login, manifest } = target;
  if (!manifest.parts["vault"]) return;
  const databases = await listDatabases(cluster);
  for (const facts of manifest.databases) {
    const database = databases.find((one) => one.namespace === facts.namespace && one.cluster === facts.cluster);
    const secret = await cluster.readSecret(facts.namespace, `${facts.cluster}-vault-login`);
    if (database && secret) await joinVault(cluster, login, database, secret);
  }
}

async function joinVault(
  cluster: AdminCluster,
  login: Login,
  database: Database,
  { username = "", password = "" }: Record<string, string>,
): Promise<void> {
  if (!/^[a-z_]+$/.test(username) || !/^[A-Za-z0-9_-]+$/.test(password)) throw new UserError("no login of Vault's");
  const place = await primaryOf(cluster, database);
  const quiet = "SET log_statement = 'none';";
  const statement = `${quiet} ALTER ROLE ${username} PASSWORD '${password}';\n`;
  await runInPod(
    login,
    place,
    ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres"],
    Readable.from([statement]),
  );
  const vault = await loginToVault(cluster, "keeper");
  try {
    const path = `database/config/${database.cluster}`;
    if (!(await vault.read(path))) return;
    await vault.write(path, { username, password });
    await vault.write(`database/rotate-root/${database.cluster}`);
  } catch (error) {
    if (error instanceof VaultError) throw new UserError(`Vault can't log in to the database: ${error.message}`);
    throw error;
  } finally {
    await vault.write("auth/token/revoke-self").catch(() => undefined);
  }
  say(`Vault has a new login at ${database.namespace}/${database.cluster}`);
}
