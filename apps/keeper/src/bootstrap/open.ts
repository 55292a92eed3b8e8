import { hide, log, reason } from "../log";
import { beginRestore, endRestore, isEmpty, isHalfRestored, noteKept, setAside, wasKept } from "../store";
import { Health, VaultClient, VaultError } from "../vault/client";
import { Bootstrap, BootstrapKeys } from "./options";

/** What stands in the way of an open bootstrap Vault, in words that `doctor` looks up. */
export type Trouble = "wrong-unseal-key" | "unseal-key-missing" | "storage-lost";

export class TroubleError extends Error {
  constructor(
    readonly trouble: Trouble,
    message: string,
  ) {
    super(message);
    this.name = "TroubleError";
  }
}

/**
 * Brings the bootstrap Vault to where it answers: initialises it once, restores it where its volume was lost, unseals it.
 *
 * @throws TroubleError where that needs a person: nothing is overwritten then
 */
export async function open(bootstrap: Bootstrap, health: Health, keys: BootstrapKeys): Promise<BootstrapKeys> {
  if (health.initialized && isHalfRestored(bootstrap.store)) {
    setAside(bootstrap.store, bootstrap.signal);
    endRestore(bootstrap.store);
    return {};
  }
  if (!health.initialized) return keys.unsealKey ? restore(bootstrap, keys.unsealKey, keys) : initialise(bootstrap);
  if (!keys.unsealKey) return abandoned(bootstrap);
  if (!wasKept(bootstrap.store)) noteKept(bootstrap.store);
  if (health.sealed) await unseal(bootstrap.vault, keys.unsealKey);
  return keys;
}

async function initialise(bootstrap: Bootstrap): Promise<BootstrapKeys> {
  if (wasKept(bootstrap.store)) {
    // The volume says that there were keys; the Secret is gone, and so is the data.
    throw new TroubleError("storage-lost", "the data and the unseal key of the bootstrap Vault are both gone");
  }
  const { keys, root } = await init(bootstrap.vault);
  const made = { unsealKey: keys, rootToken: root };
  await bootstrap.kube.writeSecret(bootstrap.keys, made);
  noteKept(bootstrap.store);
  log("the bootstrap Vault is initialised");
  await unseal(bootstrap.vault, keys);
  return made;
}

async function init(vault: VaultClient): Promise<{ keys: string; root: string }> {
  const answer = await vault.request("PUT", "sys/init", { secret_shares: 1, secret_threshold: 1 }, 60_000);
  const [keys] = answer["keys_base64"] as string[];
  return { keys: hide(keys as string), root: hide(answer["root_token"] as string) };
}

/** Initialised, and nobody has the key. Either the answer to the initialisation was lost, or the key was. */
function abandoned(bootstrap: Bootstrap): BootstrapKeys {
  if (wasKept(bootstrap.store) || isEmpty(bootstrap.store)) {
    throw new TroubleError(
      "unseal-key-missing",
      `the Secret ${bootstrap.keys} with the unseal key of the bootstrap Vault is gone`,
    );
  }
  setAside(bootstrap.store, bootstrap.signal);
  return {};
}

/** The volume was lost. The Secret's copy of its data is loaded into an empty Vault, which has the old key from then on. */
async function restore(bootstrap: Bootstrap, unsealKey: string, known: BootstrapKeys): Promise<BootstrapKeys> {
  const copy = (await bootstrap.kube.readSecret(bootstrap.copy))?.["snapshot"];
  if (!copy) {
    throw new TroubleError("storage-lost", "the data of the bootstrap Vault is gone, and there is no copy of it");
  }
  log("the data of the bootstrap Vault is gone: restoring its copy");
  beginRestore(bootstrap.store);
  const temporary = await init(bootstrap.vault);
  await unseal(bootstrap.vault, temporary.keys);
  const root = bootstrap.vault.as(temporary.root);
  await settled(() => root.raw("POST", "sys/storage/raft/snapshot-force", Buffer.from(copy, "base64"), 60_000));
  noteKept(bootstrap.store);
  endRestore(bootstrap.store);
  await unseal(bootstrap.vault, unsealKey);
  log("the bootstrap Vault is restored");
  return known;
}

/** A server that was unsealed a moment ago is not its own leader yet. */
async function settled<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (tries >= 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/** @throws TroubleError where the key is not this Vault's */
export async function unseal(vault: VaultClient, key: string): Promise<void> {
  try {
    const answer = await vault.request("PUT", "sys/unseal", { key: hide(key) });
    if (answer["sealed"] === true) throw new VaultError(400, ["still sealed"], "unseal");
    log("the bootstrap Vault is unsealed");
  } catch (error) {
    if (error instanceof VaultError && error.status === 400) {
      throw new TroubleError("wrong-unseal-key", `the bootstrap Vault refuses its unseal key: ${reason(error)}`);
    }
    throw error;
  }
}
