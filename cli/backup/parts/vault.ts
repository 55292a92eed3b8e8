import { createHash, X509Certificate } from "node:crypto";
import { loginAs } from "../../../apps/keeper/src/configure/base";
import { shares } from "../../../apps/keeper/src/configure/initialise";
import { checkSnapshot } from "../../../apps/keeper/src/snapshot";
import { VaultClient, VaultError } from "../../../apps/keeper/src/vault/client";
import { UserError } from "../../ui";
import { type AdminCluster, ApiError, primary } from "../../vault/cluster";
import type { VaultFacts } from "../manifest";

/** Accounts in Vault's namespace that log in to it, and what their tokens are made for; components/secrets names them. */
const accounts = { snapshots: "vault-snapshots", keeper: "vault-keeper" } as const;
const audience = "vault-keeper";

/** Values that the keeper may read: what it noted of its documents. */
const notes = ["api-access", "base", "issuer-access"].map((name) => `kv/data/keeper/documents/${name}`);

/** Logs in as one of the platform's own accounts. @throws UserError where Vault does not know it */
export async function loginToVault(cluster: AdminCluster, role: keyof typeof accounts): Promise<VaultClient> {
  const path = `/api/v1/namespaces/${primary.namespace}/serviceaccounts/${accounts[role]}/token`;
  const request = { spec: { audiences: [audience], expirationSeconds: 600 } };
  const { status } = await cluster.api<{ status: { token: string } }>("POST", path, request);
  const vault = await loginAs(cluster.vault(), role, status.token);
  if (!vault) throw new UserError(`Vault does not let ${accounts[role]} in: run \`npm run up\``);
  return vault;
}

/** A snapshot that is whole. */
export async function takeVaultSnapshot(cluster: AdminCluster): Promise<Buffer> {
  await cluster.chooseLeader();
  const vault = await loginToVault(cluster, "snapshots");
  const { body } = await vault.raw("GET", "sys/storage/raft/snapshot", undefined, 300_000);
  checkSnapshot(body);
  return body;
}

/** What a restored Vault is held against. */
export async function readVaultFacts(cluster: AdminCluster): Promise<VaultFacts> {
  await cluster.chooseLeader();
  const { body } = await cluster.vault().raw("GET", "pki-root/ca/pem");
  const rootAuthority = new X509Certificate(body.toString("utf8")).fingerprint256;
  const vault = await loginToVault(cluster, "keeper");
  try {
    for (const path of notes) {
      const value = await readValue(vault, path);
      if (value) return { rootAuthority, value };
    }
    return { rootAuthority };
  } finally {
    await vault.write("auth/token/revoke-self").catch(() => undefined);
  }
}

async function readValue(vault: VaultClient, path: string): Promise<VaultFacts["value"]> {
  const answer = await vault.read(path);
  const found = answer?.data as { data?: unknown; metadata?: { version: number } } | undefined;
  if (!found?.data || !found.metadata) return undefined;
  const sha256 = createHash("sha256").update(JSON.stringify(found.data)).digest("hex");
  return { path, version: found.metadata.version, sha256 };
}

/** Whether a restored Vault has what the backup's had; one line for each thing that it has not. */
export async function vaultDifferences(cluster: AdminCluster, wanted: VaultFacts): Promise<string[]> {
  await cluster.chooseLeader();
  const { body } = await cluster.vault().raw("GET", "pki-root/ca/pem");
  const authority = new X509Certificate(body.toString("utf8")).fingerprint256;
  const found = authority === wanted.rootAuthority ? [] : ["Vault's root authority is another one"];
  if (!wanted.value) return found;
  const vault = await loginToVault(cluster, "keeper");
  try {
    // Jobs may have written a newer version since: the one of the backup's must still be there.
    const { path, version, sha256 } = wanted.value;
    const value = await readValue(vault, `${path}?version=${version}`);
    return value?.sha256 === sha256 ? found : [...found, `Vault's ${path} is not what it was`];
  } finally {
    await vault.write("auth/token/revoke-self").catch(() => undefined);
  }
}

/** Up to so many seconds. @throws the last error, or where `signal` ended it */
export async function patiently<T>(seconds: number, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/**
 * Loads a snapshot into servers that were never initialised. They are initialised with keys that are forgotten at once: those
 * of the snapshot count from then on, and the bootstrap Vault, which has its old Transit key again, opens it.
 */
export async function loadIntoEmptyVault(cluster: AdminCluster, snapshot: Buffer, signal: AbortSignal): Promise<void> {
  const vault = cluster.vault();
  const initialise = async (): Promise<string> => {
    const { initialized } = await vault.health();
    if (initialized) throw new Error("Vault is initialised already");
    const { root_token: token } = await vault.request("PUT", "sys/init", shares, 60_000);
    return token as string;
  };
  const root = vault.as(await patiently(600, signal, initialise));
  await patiently(90, signal, () => root.raw("POST", "sys/storage/raft/snapshot-force", snapshot, 300_000));
  await waitUntilOpen(cluster, signal);
}

export async function waitUntilOpen(cluster: AdminCluster, signal: AbortSignal): Promise<void> {
  await patiently(120, signal, async () => {
    const health = await cluster.vault().health();
    if (!health.initialized || health.sealed) throw new Error("Vault is sealed: see docs/runbooks/vault-sealed.md");
    // Not before the accounts of the snapshot are known is it the snapshot's.
    await loginToVault(cluster, "snapshots");
  });
}

/** Whether Vault answers, and whether there is anything in it. */
export async function isInitialised(cluster: AdminCluster): Promise<boolean | undefined> {
  try {
    return (await cluster.vault().health()).initialized;
  } catch (error) {
    if (error instanceof ApiError || error instanceof UserError || error instanceof VaultError) return undefined;
    throw error;
  }
}
