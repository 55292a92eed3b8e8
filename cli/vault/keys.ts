import * as fs from "node:fs";
import { VaultClient, VaultError } from "../../apps/keeper/src/vault/client";
import { generateRoot } from "../../apps/keeper/src/vault/root";
import { say, UserError } from "../ui";
import { AdminCluster, primary } from "./cluster";
import { HandedOver, keepOld, keysFile, readKeys, writeSecretFile } from "./files";

/** The Secrets that the keeper makes; components/secrets names them. */
const recoverySecret = "vault-recovery";
const bootstrapSecrets = { namespace: "vault-bootstrap", keys: "vault-bootstrap-keys", copy: "vault-bootstrap-copy" };

export const threshold = 3;

/** The recovery keys, wherever they are: in their Secret, or, handed over, in the operator's file. */
export async function recoveryKeys(cluster: AdminCluster, stack: string): Promise<string[]> {
  const secret = await cluster.readSecret(primary.namespace, recoverySecret);
  if (!secret) throw new UserError(`stack ${stack} has no initialised Vault: there is no Secret ${recoverySecret}`);
  if (secret["keys"]) return JSON.parse(secret["keys"]) as string[];
  return readKeys(stack).recoveryKeys;
}

/**
 * Work with a root token that is made from the recovery keys and revoked right after, whatever happens.
 * @param spare keys that count where the stack's own are refused, or are not here
 */
export async function withRoot<T>(
  cluster: AdminCluster,
  stack: string,
  work: (root: VaultClient) => Promise<T>,
  spare: string[] = [],
): Promise<T> {
  const vault = cluster.vault();
  const own = recoveryKeys(cluster, stack).then((keys) => makeRoot(vault, keys));
  const token = await own.catch((error: unknown) => {
    if (spare.length === 0) throw error;
    return makeRoot(vault, spare);
  });
  const root = vault.as(token);
  try {
    return await work(root);
  } finally {
    await root.write("auth/token/revoke-self").catch((error: unknown) => {
      // A Vault that was restored meanwhile does not know it, or is not back yet: it is not in what was restored.
      const gone = error instanceof VaultError && (error.status === 403 || error.status >= 500);
      if (!gone) say(`the temporary root token could not be revoked: ${(error as Error).message}`);
    });
  }
}

/** @throws UserError where Vault is sealed or refuses the keys */
export async function makeRoot(vault: VaultClient, keys: string[]): Promise<string> {
  const health = await vault.health().catch((error: unknown) => {
    throw new UserError(`Vault does not answer: ${(error as Error).message}`);
  });
  if (!health.initialized) throw new UserError("Vault is not initialised: run `npm run up`");
  if (health.sealed) throw new UserError("Vault is sealed: see docs/runbooks/vault-sealed.md");
  try {
    return await generateRoot(vault, keys.slice(0, threshold));
  } catch (error) {
    throw new UserError(`Vault refuses the recovery keys: ${(error as Error).message}`);
  }
}

/** `hand-over`: moves the keys out of the cluster into a file of the operator's. Can be run again at any moment. */
export async function handOver(cluster: AdminCluster, stack: string): Promise<void> {
  const secret = await cluster.readSecret(primary.namespace, recoverySecret);
  if (!secret) throw new UserError(`stack ${stack} has no initialised Vault: run \`npm run up -- --stack ${stack}\``);
  const file = keysFile(stack);
  if (!secret["keys"]) {
    throw new UserError(
      `the keys of ${stack} were handed over at ${secret["handedOver"]}${fs.existsSync(file) ? ` into ${file}` : ""}`,
    );
  }
  const bootstrap = await cluster.readSecret(bootstrapSecrets.namespace, bootstrapSecrets.keys);
  const copy = await cluster.readSecret(bootstrapSecrets.namespace, bootstrapSecrets.copy);
  if (!bootstrap?.["unsealKey"]) throw new UserError("the bootstrap Vault has no unseal key: see `npm run doctor`");
  const now = new Date().toISOString();
  const content: HandedOver = {
    stack,
    handedOver: now,
    threshold,
    recoveryKeys: JSON.parse(secret["keys"]) as string[],
    ...(secret["rootCaKey"] && { rootCaKey: secret["rootCaKey"] }),
    bootstrap: { unsealKey: bootstrap["unsealKey"], snapshot: copy?.["snapshot"], taken: copy?.["taken"] },
  };
  keepOld(file);
  writeSecretFile(file, `${JSON.stringify(content, null, 2)}\n`);
  // Only what was read back may go.
  const back = readKeys(stack);
  if (JSON.stringify(back.recoveryKeys) !== secret["keys"].replace(/\s/g, "")) {
    throw new UserError(`${file} does not hold what was written: nothing was removed from the cluster`);
  }
  await cluster.patchSecret(primary.namespace, recoverySecret, { keys: null, rootCaKey: null, handedOver: now });
  say(`handed over: ${file} (mode 0600)`);
  say(
    `It holds ${content.recoveryKeys.length} recovery keys, ${threshold} of which are needed, the root authority's key, and what`,
  );
  say("gets the bootstrap Vault back. Put copies where no single fire or thief reaches them, then delete this one.");
}

/** `rotate-recovery-keys`: new keys, which count only once Vault has seen enough of them. */
export async function rotateRecoveryKeys(cluster: AdminCluster, stack: string): Promise<void> {
  const vault = cluster.vault();
  const secret = await cluster.readSecret(primary.namespace, recoverySecret);
  const keys = await recoveryKeys(cluster, stack);
  const shares = { secret_shares: keys.length, secret_threshold: threshold, require_verification: true };
  // One that was begun and given up would be in the way; to cancel it takes its nonce.
  const begun = await vault.request("GET", "sys/rekey-recovery-key/init");
  if (begun["started"] === true) {
    await vault.request("DELETE", "sys/rekey-recovery-key/init", { nonce: begun["nonce"] as string });
  }
  const { nonce } = await vault.request("PUT", "sys/rekey-recovery-key/init", shares);
  const made = await offer(vault, "sys/rekey-recovery-key/update", keys, nonce as string);
  const fresh = made["keys_base64"] as string[];
  const file = keysFile(stack);
  const next = file.replace(/\.json$/, ".next.json");
  const handedOver = secret?.["keys"] ? undefined : readKeys(stack);
  const content = { ...(handedOver ?? { stack, threshold }), recoveryKeys: fresh };
  // Before they count: a computer that fails now leaves the old ones valid and the new ones here.
  writeSecretFile(next, `${JSON.stringify(content, null, 2)}\n`);
  await offer(vault, "sys/rekey-recovery-key/verify", fresh, made["verification_nonce"] as string);
  if (handedOver) {
    keepOld(file);
    fs.renameSync(next, file);
    say(`new recovery keys: ${file} (mode 0600); the old ones are beside it`);
  } else {
    writeSecretFile(file, `${JSON.stringify({ ...content, recoveryKeys: keys }, null, 2)}\n`);
    keepOld(file);
    await cluster.patchSecret(primary.namespace, recoverySecret, { keys: JSON.stringify(fresh) });
    fs.rmSync(next);
    say(
      `new recovery keys: in the Secret ${primary.namespace}/${recoverySecret}, until \`npm run vault -- hand-over\``,
    );
  }
}

async function offer(vault: VaultClient, path: string, keys: string[], nonce: string) {
  for (const key of keys.slice(0, threshold)) {
    const answer = await vault.request("PUT", path, { key, nonce }).catch((error: unknown) => {
      throw new UserError(`Vault refuses the recovery keys: ${(error as Error).message}`);
    });
    if (answer["complete"] === true) return answer;
  }
  throw new UserError(`${threshold} recovery keys were not enough`);
}
