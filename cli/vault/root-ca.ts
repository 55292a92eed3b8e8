import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { say, UserError } from "../ui";
import { AdminCluster, primary } from "./cluster";
import { keysFile, readKeys } from "./files";
import { withRoot } from "./keys";

/**
 * `root-ca offline`: deletes the root authority's key from Vault, once it is sure that the operator has it. Vault deletes no
 * key of an issuer, so the issuer goes first and its certificate comes back without a key.
 */
export async function takeRootOffline(cluster: AdminCluster, stack: string): Promise<void> {
  const key = keptKey(stack);
  const certificate = await rootCertificate(cluster);
  if (!belongs(key, certificate)) {
    throw new UserError(`the rootCaKey of ${keysFile(stack)} is not the root authority's: nothing was deleted`);
  }
  await withRoot(cluster, stack, async (root) => {
    const keys = await root.list("pki-root/keys");
    const issuers = await root.list("pki-root/issuers");
    if (keys.length === 0 && issuers.length > 0) throw new UserError("the root authority is offline already");
    for (const issuer of issuers) await root.remove(`pki-root/issuer/${issuer}`);
    for (const one of keys) await root.remove(`pki-root/key/${one}`);
    const { data } = await root.write("pki-root/issuers/import/cert", { pem_bundle: certificate });
    const [issuer] = (data?.["imported_issuers"] ?? []) as string[];
    await root.write("pki-root/config/issuers", { default: issuer });
    await root.write(`pki-root/issuer/${issuer}`, { issuer_name: "root" });
  });
  say("the root authority is offline: its certificate stays, its key is in your file only");
}

/** `root-ca online`: brings it back, to sign a new intermediate. */
export async function bringRootOnline(cluster: AdminCluster, stack: string): Promise<void> {
  const key = keptKey(stack);
  if (!belongs(key, await rootCertificate(cluster))) {
    throw new UserError(`the rootCaKey of ${keysFile(stack)} is not the root authority's`);
  }
  await withRoot(cluster, stack, async (root) => {
    if ((await root.list("pki-root/keys")).length > 0) throw new UserError("the root authority's key is in Vault");
    // Vault joins it with the certificate that it is of.
    await root.write("pki-root/keys/import", { pem_bundle: key });
  });
  say("the root authority is online; `npm run vault -- renew` makes a new intermediate, then take it offline again");
}

function keptKey(stack: string): string {
  const { rootCaKey } = readKeys(stack);
  if (!rootCaKey) throw new UserError(`${keysFile(stack)} has no rootCaKey`);
  return rootCaKey;
}

/** As everybody in the cluster knows it: also there while Vault has lost it. */
async function rootCertificate(cluster: AdminCluster): Promise<string> {
  const path = `/api/v1/namespaces/${primary.namespace}/configmaps/vault-authority`;
  const { data } = await cluster.api<{ data: Record<string, string> }>("GET", path);
  return data["ca.crt"] ?? "";
}

const spki = { type: "spki", format: "pem" } as const;

/** Whether a private key is the one that a certificate is of. */
export function belongs(key: string, certificate: string): boolean {
  const own = createPublicKey(createPrivateKey(key)).export(spki);
  return own === new X509Certificate(certificate).publicKey.export(spki);
}
