import { log } from "../log";
import { VaultClient } from "../vault/client";
import { lifetimes } from "./pki";

interface Mount {
  type: string;
  description: string;
  config?: object;
  options?: Record<string, string>;
}

/** Secret engines that every platform has. */
const mounts: Record<string, Mount> = {
  kv: { type: "kv", options: { version: "2" }, description: "secrets of workloads" },
  "pki-root": {
    type: "pki",
    description: "the root authority",
    config: { max_lease_ttl: `${lifetimes.root}h` },
  },
  pki: {
    type: "pki",
    description: "the authority that issues certificates",
    config: { max_lease_ttl: `${lifetimes.intermediate}h` },
  },
  database: { type: "database", description: "leased logins of databases" },
};

/** Makes the mounts and the AppRole method where they are missing. */
export async function ensureMounts(vault: VaultClient): Promise<void> {
  const engines = (await vault.read("sys/mounts"))?.data ?? {};
  for (const [path, mount] of Object.entries(mounts)) {
    if (`${path}/` in engines) continue;
    await vault.write(`sys/mounts/${path}`, mount);
    log("mounted", { path, type: mount.type });
  }
  const methods = (await vault.read("sys/auth"))?.data ?? {};
  if (!("approle/" in methods)) await vault.write("sys/auth/approle", { type: "approle" });
}
