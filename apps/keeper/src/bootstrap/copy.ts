import { createHash } from "node:crypto";
import { log } from "../log";
import { VaultClient } from "../vault/client";
import { Bootstrap, transit } from "./options";

/** Bytes that fit into a Secret, whose limit is 1 MiB after base64 twice. */
const limit = 550 * 1024;

/** Days after which a copy is taken anew though nothing has changed that it is for. */
const maxAgeDays = 7;

/**
 * Keeps a copy of the bootstrap Vault's data in a Secret, beside its unseal key: without the Transit key that is in it the
 * primary could never be unsealed again. The data is encrypted with the unseal key.
 */
export async function keepCopy(bootstrap: Bootstrap, vault: VaultClient): Promise<void> {
  const key = await vault.read(`${transit.mount}/keys/${transit.key}`);
  // Versions of the key with their times: they differ when the copy would not do any more.
  const versions = JSON.stringify(key?.data?.["keys"] ?? {});
  const of = createHash("sha256").update(versions).digest("hex");
  const kept = await bootstrap.kube.readSecret(bootstrap.copy);
  const age = (Date.now() - Date.parse(kept?.["taken"] ?? "")) / 86_400_000;
  if (kept?.["snapshot"] && kept["of"] === of && Math.abs(age) < maxAgeDays) return;
  const { body } = await vault.raw("GET", "sys/storage/raft/snapshot", undefined, 60_000);
  if (body.length > limit)
    throw new Error(`the copy of the bootstrap Vault has ${body.length} bytes: too many for a Secret`);
  const taken = new Date().toISOString();
  await bootstrap.kube.writeSecret(bootstrap.copy, { snapshot: body.toString("base64"), of, taken });
  log("the bootstrap Vault's data is copied", { secret: bootstrap.copy, bytes: body.length });
}
