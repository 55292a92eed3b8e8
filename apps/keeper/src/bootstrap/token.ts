import { hide, log } from "../log";
import { readStanza, SealStanza, writeStanza } from "../seal";
import { VaultClient, VaultError } from "../vault/client";
import { Bootstrap, transit } from "./options";
import { tokenPeriod } from "./set-up";

/** The Secret's key; the file's name in the primary's pods. */
export const stanzaKey = "seal.hcl";

/** Whether a token is young enough to stay: half of its life is left to a primary that can not renew it. */
export function isFresh(token: { creation_time: number; ttl: number }, nowSeconds: number): boolean {
  const age = nowSeconds - token.creation_time;
  return token.ttl > tokenPeriod / 2 && age < tokenPeriod / 2;
}

/** Keeps a stanza with a valid token in the primary's namespace. Says whether it made a new one. */
export async function keepSealToken(bootstrap: Bootstrap, vault: VaultClient): Promise<boolean> {
  const { kube, seal } = bootstrap;
  const current = (await kube.readSecret(seal.secret, seal.namespace))?.[stanzaKey];
  if (current !== undefined && (await isGood(bootstrap, vault, current))) return false;
  const { auth } = await vault.write(`auth/token/create/${transit.key}`, { policies: [transit.key] });
  const token = hide(auth?.client_token) as string;
  const stanza = writeStanza({ ...target(bootstrap), token });
  await kube.writeSecret(seal.secret, { [stanzaKey]: stanza }, seal.namespace);
  log("the primary has a new token", { secret: `${seal.namespace}/${seal.secret}` });
  return true;
}

const target = ({ seal }: Bootstrap): Omit<SealStanza, "token"> => ({
  address: seal.address,
  key: transit.key,
  mount: transit.mount,
  caFile: seal.caFile,
});

async function isGood(bootstrap: Bootstrap, vault: VaultClient, hcl: string): Promise<boolean> {
  let stanza: SealStanza;
  try {
    stanza = readStanza(hcl);
  } catch {
    return false;
  }
  const { token, ...rest } = stanza;
  if (JSON.stringify(rest, Object.keys(rest).sort()) !== JSON.stringify(target(bootstrap), Object.keys(rest).sort())) {
    return false;
  }
  try {
    const { data } = await vault.write("auth/token/lookup", { token: hide(token) });
    return isFresh(data as { creation_time: number; ttl: number }, Date.now() / 1000);
  } catch (error) {
    // What Vault does not know it calls a bad token: expired, revoked, or of a Vault that is no more.
    if (error instanceof VaultError && [400, 403, 404].includes(error.status)) return false;
    throw error;
  }
}
