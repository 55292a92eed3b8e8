import { setTimeout as sleep } from "node:timers/promises";
import type { Platform } from "../../../apps/keeper/src/configure/document";
import { VaultServer } from "./server";

/** What the graph tells the keeper of the platform. */
export const platform = (address: string): Platform => ({
  address,
  nodes: [address],
  namespace: "vault",
  audience: "vault-keeper",
  accounts: { base: "vault-configure", keeper: "vault-keeper", snapshots: "vault-snapshots" },
  recovery: "vault-recovery",
  state: "vault-state",
  authority: "vault-authority",
});

/** There is no API server here: nobody logs in by a pod's token. */
export const outside = { kubernetes_host: "https://127.0.0.1:1", disable_local_ca_jwt: true };

/** A server with a Transit key, and one that it unseals. */
export async function sealedBy(transit: VaultServer): Promise<VaultServer> {
  await transit.start();
  const { keys_base64: keys, root_token: root } = await transit
    .client()
    .request("PUT", "sys/init", { secret_shares: 1, secret_threshold: 1 });
  await transit.client().request("PUT", "sys/unseal", { key: (keys as string[])[0] });
  const vault = transit.client().as(root as string);
  await patiently(() => vault.write("sys/mounts/transit", { type: "transit" }));
  await vault.write("transit/keys/autounseal");
  return new VaultServer(
    `seal "transit" {
  address = "${transit.address}"
  token = "${root as string}"
  key_name = "autounseal"
  mount_path = "transit/"
}
`,
  );
}

/** Tries for ten seconds: elections take a moment. */
export async function patiently<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (tries > 100) throw error;
      await sleep(100);
    }
  }
}
