import { readArguments } from "../arguments";
import { HttpsClient } from "../http";
import { Kube, KubeClient } from "../kube/client";
import { Signal, signalVault } from "../process";
import { VaultClient } from "../vault/client";

/** The mount and the key that the primary is unsealed with. */
export const transit = { mount: "transit", key: "autounseal" } as const;

/** Everything that the keeper of the bootstrap Vault works with. */
export interface Bootstrap {
  vault: VaultClient;
  kube: Kube;
  /** Folder of the server's data. */
  store: string;
  /** Secrets in the keeper's own namespace. */
  keys: string;
  copy: string;
  /** Where the primary's seal stanza goes. */
  seal: { namespace: string; secret: string; address: string; caFile: string };
  certificate: string;
  /** How the server is signalled. */
  signal: Signal;
  port: number;
}

/** Keys of the Secret with the unseal key. */
export interface BootstrapKeys {
  unsealKey?: string;
  /** Until the first set-up is done. */
  rootToken?: string;
  roleId?: string;
  secretId?: string;
}

/** Reads the command line. */
export function bootstrapOptions(argv: string[]): Bootstrap {
  const names = readArguments(argv, {
    needed: ["server-name", "ca", "certificate", "store", "keys", "copy", "seal", "seal-address", "seal-ca", "port"],
    optional: ["address"],
  });
  const [namespace = "", secret = ""] = names.seal.split("/");
  return {
    vault: VaultClient.at(names.address ?? "https://127.0.0.1:8200", new HttpsClient(names.ca, names["server-name"])),
    kube: new KubeClient(),
    store: names.store,
    keys: names.keys,
    copy: names.copy,
    seal: { namespace, secret, address: names["seal-address"], caFile: names["seal-ca"] },
    certificate: names.certificate,
    signal: signalVault,
    port: Number(names.port),
  };
}
