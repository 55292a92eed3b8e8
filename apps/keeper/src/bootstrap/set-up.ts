import { hide, log } from "../log";
import { VaultClient, VaultError } from "../vault/client";
import { generateRoot } from "../vault/root";
import { Bootstrap, BootstrapKeys, transit } from "./options";

/** Life of the primary's token since it was last renewed; the primary renews it while it runs. */
export const tokenPeriod = 7 * 24 * 3600;

/** What the primary may do: encrypt and decrypt its own root key. */
const sealPolicy = `
path "${transit.mount}/encrypt/${transit.key}" { capabilities = ["update"] }
path "${transit.mount}/decrypt/${transit.key}" { capabilities = ["update"] }
`;

/** What the keeper may do once the root token is revoked: keep the key there, and make tokens for it. */
const keeperPolicy = `
path "sys/mounts"                               { capabilities = ["read"] }
path "sys/mounts/${transit.mount}"              { capabilities = ["create", "read", "update"] }
path "${transit.mount}/keys/${transit.key}"     { capabilities = ["create", "read", "update"] }
path "auth/token/create/${transit.key}"         { capabilities = ["create", "update"] }
path "auth/token/lookup"                        { capabilities = ["update"] }
path "sys/storage/raft/snapshot"                { capabilities = ["read"] }
`;

/** Logs in as the keeper. Undefined where it has no login, or one that Vault does not know. */
export async function login(vault: VaultClient, keys: BootstrapKeys): Promise<VaultClient | undefined> {
  if (!keys.roleId || !keys.secretId) return undefined;
  try {
    const body = { role_id: keys.roleId, secret_id: hide(keys.secretId) };
    const { auth } = await vault.as(undefined).write("auth/approle/login", body);
    return vault.as(hide(auth?.client_token));
  } catch (error) {
    if (error instanceof VaultError && error.status === 400) return undefined;
    throw error;
  }
}

/**
 * Gives an open bootstrap Vault its policies, its token role and the keeper's own login, with a root token that is revoked
 * right after. The root token is that of the initialisation; where that is gone, one is made from the unseal key.
 */
export async function setUp(bootstrap: Bootstrap, keys: BootstrapKeys): Promise<BootstrapKeys> {
  const root = await rootClient(bootstrap, keys);
  await ignoring(root.write("sys/audit/stdout", { type: "file", options: { file_path: "stdout" } }), "already in use");
  await ensureTransit(root);
  await root.request("PUT", `sys/policies/acl/${transit.key}`, { policy: sealPolicy });
  await root.request("PUT", "sys/policies/acl/keeper", { policy: keeperPolicy });
  await root.write(`auth/token/roles/${transit.key}`, {
    allowed_policies: [transit.key, "default"],
    orphan: true,
    renewable: true,
    token_period: tokenPeriod,
  });
  await ignoring(root.write("sys/auth/approle", { type: "approle" }), "already in use");
  await root.write("auth/approle/role/keeper", {
    token_policies: ["keeper"],
    token_no_default_policy: true,
    token_ttl: 900,
    token_max_ttl: 900,
    secret_id_ttl: 0,
    secret_id_num_uses: 0,
  });
  const roleId = (await root.read("auth/approle/role/keeper/role-id"))?.data?.["role_id"] as string;
  const secretId = hide((await root.write("auth/approle/role/keeper/secret-id")).data?.["secret_id"] as string);
  await bootstrap.kube.writeSecret(bootstrap.keys, { roleId, secretId });
  // Kept until here: killed before, the next turn begins again with it.
  await root.write("auth/token/revoke-self");
  await bootstrap.kube.writeSecret(bootstrap.keys, { rootToken: null });
  log("the bootstrap Vault is set up, its root token is revoked");
  return { unsealKey: keys.unsealKey, roleId, secretId };
}

/** A client with root's rights, and the token of it kept until it is revoked. */
async function rootClient({ vault, kube, keys: secret }: Bootstrap, keys: BootstrapKeys): Promise<VaultClient> {
  if (keys.rootToken) {
    const root = vault.as(hide(keys.rootToken));
    try {
      await root.read("auth/token/lookup-self");
      return root;
    } catch (error) {
      if (!(error instanceof VaultError && error.status === 403)) throw error;
    }
  }
  const token = await generateRoot(vault, [keys.unsealKey ?? ""]);
  await kube.writeSecret(secret, { rootToken: token });
  return vault.as(token);
}

/** The Transit mount and its key, which is never exported nor deleted. */
export async function ensureTransit(vault: VaultClient): Promise<void> {
  const mounts = (await vault.read("sys/mounts"))?.data ?? {};
  if (!(`${transit.mount}/` in mounts)) await vault.write(`sys/mounts/${transit.mount}`, { type: "transit" });
  if (!(await vault.read(`${transit.mount}/keys/${transit.key}`))) {
    await vault.write(`${transit.mount}/keys/${transit.key}`, { type: "aes256-gcm96" });
    log("the key that unseals the primary is made");
  }
}

/** For what is to be there, whoever made it. */
async function ignoring(request: Promise<unknown>, words: string): Promise<void> {
  try {
    await request;
  } catch (error) {
    if (!(error instanceof VaultError && error.status === 400 && error.message.includes(words))) throw error;
  }
}
