import { hide, log } from "../log";
import { Kube } from "../kube/client";
import { VaultClient, VaultError } from "../vault/client";
import { generateRoot } from "../vault/root";
import { Platform } from "./document";
import { keysOf, Recovery, FatalError } from "./initialise";
import { keeperPolicy, snapshotsPolicy } from "./policies";

/** How Vault asks whose a token is: with its own account's token, which it reads anew every minute. */
const inCluster = { kubernetes_host: "https://kubernetes.default.svc", disable_local_ca_jwt: false };

/** Logs in with the pod's token. Undefined where Vault does not know the role, or not yet the method. */
export async function loginAs(vault: VaultClient, role: string, jwt: string): Promise<VaultClient | undefined> {
  try {
    const { auth } = await vault.as(undefined).write("auth/kubernetes/login", { role, jwt: hide(jwt) });
    return vault.as(hide(auth?.client_token));
  } catch (error) {
    if (error instanceof VaultError && [400, 403, 404].includes(error.status)) return undefined;
    throw error;
  }
}

/**
 * Uses the root token of the initialisation, once: for the audit devices, the Kubernetes auth method and the keeper's own
 * role. Then it is revoked, and only then removed from its Secret.
 */
export async function setUpWithRoot(
  vault: VaultClient,
  kube: Kube,
  platform: Platform,
  recovery: Recovery,
  method: object = inCluster,
): Promise<void> {
  const root = await rootClient(vault, kube, platform, recovery);
  await enableAudit(root);
  const methods = (await root.read("sys/auth"))?.data ?? {};
  if (!("kubernetes/" in methods)) await root.write("sys/auth/kubernetes", { type: "kubernetes" });
  await writeKeeper(root, platform, method);
  await root.write("auth/token/revoke-self");
  await kube.writeSecret(platform.recovery, { rootToken: null });
  log("the root token is revoked");
}

/** What the keeper renews of itself at each run: its own role and policy, and those of the snapshots. */
export async function writeKeeper(vault: VaultClient, platform: Platform, method: object = inCluster): Promise<void> {
  await vault.write("auth/kubernetes/config", method);
  await vault.write("sys/policies/acl/keeper", { policy: keeperPolicy });
  await vault.write("sys/policies/acl/snapshots", { policy: snapshotsPolicy });
  const { accounts, namespace, audience } = platform;
  const role = (names: string[], policies: string[]) => ({
    bound_service_account_names: names,
    bound_service_account_namespaces: [namespace],
    audience,
    alias_name_source: "serviceaccount_name",
    token_policies: policies,
    token_no_default_policy: true,
    token_ttl: "15m",
    token_max_ttl: "15m",
  });
  await vault.write("auth/kubernetes/role/keeper", role([accounts.base, accounts.keeper], ["keeper"]));
  await vault.write("auth/kubernetes/role/snapshots", role([accounts.snapshots], ["snapshots"]));
}

/** Two devices: Vault serves nobody whose request it can not write to one of them. */
async function enableAudit(root: VaultClient): Promise<void> {
  const devices = (await root.read("sys/audit"))?.data ?? {};
  const wanted = {
    file: { file_path: "/vault/audit/audit.log", mode: "0600" },
    stdout: { file_path: "stdout" },
  };
  for (const [name, options] of Object.entries(wanted)) {
    if (!(`${name}/` in devices)) await root.write(`sys/audit/${name}`, { type: "file", options });
  }
}

async function rootClient(
  vault: VaultClient,
  kube: Kube,
  platform: Platform,
  recovery: Recovery,
): Promise<VaultClient> {
  if (recovery.rootToken) {
    const root = vault.as(hide(recovery.rootToken));
    try {
      await root.read("auth/token/lookup-self");
      return root;
    } catch (error) {
      if (!(error instanceof VaultError && error.status === 403)) throw error;
    }
  }
  const keys = keysOf(recovery);
  if (keys.length === 0) {
    throw new FatalError(
      "Vault does not let the keeper in, and the recovery keys were handed over: see docs/runbooks/vault-root-token.md",
    );
  }
  const token = await generateRoot(vault, keys);
  await kube.writeSecret(platform.recovery, { rootToken: token });
  return vault.as(token);
}
