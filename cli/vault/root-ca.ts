import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import type { VaultClient } from "../../apps/keeper/src/vault/client";
import { say, UserError } from "../ui";
import type { AdminCluster } from "./cluster";
import { keysFile, readKeys } from "./files";
import { withRoot } from "./keys";

/** `root-ca offline`: deletes the root authority's key from Vault, once it is sure that the operator has it. */
export async function takeRootOffline(cluster: AdminCluster, stack: string): Promise<void> {
  const key = keptKey(stack);
  await withRoot(cluster, stack, async (root) => {
    const { certificate, keyId } = await rootIssuer(root);
    if (!keyId) throw new UserError("the root authority's key is not in Vault: it is offline already");
    if (!belongs(key, certificate)) {
      throw new UserError(`the rootCaKey of ${keysFile(stack)} is not the root authority's: nothing was deleted`);
    }
    await root.remove(`pki-root/key/${keyId}`);
  });
  say("the root authority is offline: its certificate stays, its key is in your file only");
}

/** `root-ca online`: brings it back, to sign a new intermediate. */
export async function bringRootOnline(cluster: AdminCluster, stack: string): Promise<void> {
  const key = keptKey(stack);
  await withRoot(cluster, stack, async (root) => {
    const { certificate, keyId } = await rootIssuer(root);
    if (keyId) throw new UserError("the root authority's key is in Vault");
    if (!belongs(key, certificate))
      throw new UserError(`the rootCaKey of ${keysFile(stack)} is not the root authority's`);
    await root.write("pki-root/keys/import", { pem_bundle: key });
  });
  say("the root authority is online; `npm run vault -- renew` makes a new intermediate, then take it offline again");
}

function keptKey(stack: string): string {
  const { rootCaKey } = readKeys(stack);
  if (!rootCaKey) throw new UserError(`${keysFile(stack)} has no rootCaKey`);
  return rootCaKey;
}

/** The root's certificate, and the key's name where Vault has it. */
async function rootIssuer(root: VaultClient): Promise<{ certificate: string; keyId?: string }> {
  const data = (await root.read("pki-root/issuer/default"))?.data;
  if (!data) throw new UserError("Vault has no root authority: run `npm run up`");
  return { certificate: data["certificate"] as string, keyId: (data["key_id"] as string) || undefined };
}

const spki = { type: "spki", format: "pem" } as const;

/** Whether a private key is the one that a certificate is of. */
export function belongs(key: string, certificate: string): boolean {
  const own = createPublicKey(createPrivateKey(key)).export(spki);
  return own === new X509Certificate(certificate).publicKey.export(spki);
}
