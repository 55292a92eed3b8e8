import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { hide, log, reason } from "../log";
import { Kube } from "../kube/client";
import { VaultClient, VaultError } from "../vault/client";
import { Platform } from "./document";
import { FatalError, Recovery } from "./initialise";

/** Lifetimes in hours: the root ten years, the intermediate five; a year before its end it is replaced. */
export const lifetimes = { root: 87_600, intermediate: 43_800, renewBefore: 8_760 } as const;

/** Both authorities, and where clients find them. Gives the root certificate, PEM. */
export async function ensureAuthorities(vault: VaultClient, kube: Kube, platform: Platform): Promise<string> {
  const found = (await certificateOf(vault, "pki-root")) ?? (await makeRoot(vault, kube, platform));
  // Vault gives it with and without an end of line; consumers must see the same each time.
  const root = `${found.trim()}\n`;
  await ensureIntermediate(vault, root);
  const base = `${platform.address}/v1/pki`;
  await vault.write("pki/config/urls", {
    issuing_certificates: [`${base}/ca`],
    crl_distribution_points: [`${base}/crl`],
  });
  await vault.write("pki/config/crl", { expiry: "72h", auto_rebuild: true, auto_rebuild_grace_period: "12h" });
  // What has run out is forgotten: certificates that live for hours would fill the volume.
  await vault.write("pki/config/auto-tidy", {
    enabled: true,
    interval_duration: "12h",
    tidy_cert_store: true,
    tidy_revoked_certs: true,
    safety_buffer: "72h",
  });
  return root;
}

/** The certificate of a mount's default issuer. */
async function certificateOf(vault: VaultClient, mount: string): Promise<string | undefined> {
  if ((await vault.list(`${mount}/issuers`)).length === 0) return undefined;
  const issuer = await vault.read(`${mount}/issuer/default`).catch(absent);
  return issuer?.data?.["certificate"] as string | undefined;
}

/** A mount without a default issuer answers with an error of its own. */
function absent(error: unknown): undefined {
  if (error instanceof VaultError && [400, 404, 500].includes(error.status)) return undefined;
  throw error;
}

/**
 * The key is made here and kept in its Secret before Vault gets it: so it can be taken offline later, and a run that is
 * killed goes on with the same key.
 */
async function makeRoot(vault: VaultClient, kube: Kube, platform: Platform): Promise<string> {
  const kept = ((await kube.readSecret(platform.recovery)) ?? {}) as Recovery;
  if (kept.handedOver && !kept.rootCaKey) {
    throw new FatalError("the root authority is missing and its key was handed over: restore a snapshot");
  }
  const key = kept.rootCaKey ?? generateKey();
  hide(key);
  if (!kept.rootCaKey) await kube.writeSecret(platform.recovery, { rootCaKey: key });
  const imported = (await vault.write("pki-root/keys/import", { pem_bundle: key })).data;
  const { data } = await vault.write("pki-root/root/generate/existing", {
    key_ref: imported?.["key_id"],
    common_name: `Groundwork ${platform.namespace} root`,
    organization: "Groundwork",
    issuer_name: "root",
    ttl: `${lifetimes.root}h`,
    not_before_duration: "30s",
  });
  log("the root authority is made", { years: 10 });
  return data?.["certificate"] as string;
}

function generateKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  // Vault reads the key format of its own.
  return privateKey.export({ type: "sec1", format: "pem" }) as string;
}

/** The weekly look: a new intermediate where the present one ends within a year, while the root's key is in Vault. */
export async function renewAuthorities(vault: VaultClient): Promise<void> {
  const root = await certificateOf(vault, "pki-root");
  if (!root) throw new FatalError("Vault has no root authority: run the base configuration");
  await ensureIntermediate(vault, root);
}

async function ensureIntermediate(vault: VaultClient, root: string): Promise<void> {
  const current = await certificateOf(vault, "pki");
  const hoursLeft = current ? (Date.parse(new X509Certificate(current).validTo) - Date.now()) / 3_600_000 : 0;
  if (hoursLeft > lifetimes.renewBefore) return;
  const { data: request } = await vault.write("pki/intermediate/generate/internal", {
    common_name: "Groundwork intermediate",
    organization: "Groundwork",
    key_type: "ec",
    key_bits: 384,
  });
  let signed: string;
  try {
    const { data } = await vault.write("pki-root/root/sign-intermediate", {
      csr: request?.["csr"],
      common_name: "Groundwork intermediate",
      organization: "Groundwork",
      ttl: `${lifetimes.intermediate}h`,
      max_path_length: 0,
      format: "pem",
    });
    signed = data?.["certificate"] as string;
  } catch (error) {
    if (hoursLeft > 0) {
      log("the intermediate authority ends soon and can't be renewed: bring the root's key back", {
        daysLeft: Math.floor(hoursLeft / 24),
        reason: reason(error),
      });
      return;
    }
    throw error;
  }
  // The root comes along, so that chains are complete; the default is the one with a key.
  const { data } = await vault.write("pki/intermediate/set-signed", {
    certificate: `${signed.trim()}\n${root.trim()}\n`,
  });
  const keys = (data?.["mapping"] ?? {}) as Record<string, string>;
  const [issuer] = Object.entries(keys).find(([, key]) => key !== "") ?? [];
  await vault.write("pki/config/issuers", { default: issuer });
  log("the intermediate authority is made", { years: 5 });
}
