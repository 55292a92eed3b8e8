import { X509Certificate } from "node:crypto";
import * as fs from "node:fs";
import { table } from "../ui";
import { AdminCluster, primary } from "./cluster";
import { keysFile, rootTokenFile } from "./files";

/** One line of what `status` says. */
export interface VaultFact {
  what: string;
  ok: boolean;
  state: string;
}

const proxied = (namespace: string, pod: string, port: string): string =>
  `/api/v1/namespaces/${namespace}/pods/${pod}:${port}/proxy`;

/** Everything about a stack's Vaults that is no secret. */
export async function vaultFacts(cluster: AdminCluster, stack: string): Promise<VaultFact[]> {
  const fact = async (what: string, find: () => Promise<Omit<VaultFact, "what">>): Promise<VaultFact> =>
    find().then(
      (found) => ({ what, ...found }),
      (error: unknown) => ({ what, ok: false, state: (error as Error).message.split("\n")[0] ?? "" }),
    );
  const pods = await cluster.servers();
  return Promise.all([
    fact("bootstrap Vault", async () => {
      const path = proxied("vault-bootstrap", "vault-bootstrap-0", "8300");
      const { state, detail } = await cluster.api<{ state: string; detail: string }>("GET", `${path}/status`);
      return { ok: state === "unsealed", state: [state, detail].filter(Boolean).join(": ") };
    }),
    ...pods.map((pod) =>
      fact(pod, async () => {
        const health = await cluster.vault(pod).health();
        const state = health.sealed ? "sealed" : health.standby ? "standby" : "active";
        return { ok: health.initialized && !health.sealed, state: health.initialized ? state : "not initialised" };
      }),
    ),
    fact("root authority", async () => {
      const path = `/api/v1/namespaces/${primary.namespace}/configmaps/vault-authority`;
      const { data } = await cluster.api<{ data: Record<string, string> }>("GET", path);
      return lasts(data["ca.crt"] ?? "");
    }),
    fact("intermediate authority", async () => {
      const { body } = await cluster.vault().raw("GET", "pki/ca/pem");
      return lasts(body.toString("utf8"));
    }),
    fact("recovery keys", async () => {
      const secret = await cluster.readSecret(primary.namespace, "vault-recovery");
      if (!secret) return { ok: false, state: "there are none" };
      if (secret["keys"]) return { ok: true, state: "in the cluster: `npm run vault -- hand-over`" };
      const here = fs.existsSync(keysFile(stack)) ? `, and still in ${keysFile(stack)}` : "";
      return { ok: true, state: `handed over at ${secret["handedOver"]}${here}` };
    }),
    fact("root token", () => {
      const file = rootTokenFile(stack);
      const there = fs.existsSync(file);
      return Promise.resolve({ ok: !there, state: there ? `in ${file}: revoke it` : "none" });
    }),
    fact("snapshots", async () => {
      const path = `/apis/batch/v1/namespaces/${primary.namespace}/cronjobs/vault-snapshots`;
      const { status } = await cluster.api<{ status?: { lastSuccessfulTime?: string } }>("GET", path);
      return { ok: true, state: status?.lastSuccessfulTime ? `last at ${status.lastSuccessfulTime}` : "none yet" };
    }),
  ]);
}

function lasts(pem: string): Omit<VaultFact, "what"> {
  const days = Math.floor((Date.parse(new X509Certificate(pem).validTo) - Date.now()) / 86_400_000);
  return { ok: days > 0, state: days > 0 ? `${days} days left` : `ended ${-days} days ago` };
}

export const factTable = (facts: VaultFact[]): string =>
  table(
    ["part", "state"],
    facts.map(({ what, ok, state }) => [what, ok ? state : `NOT WELL: ${state}`]),
  );
