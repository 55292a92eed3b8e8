import * as fs from "node:fs";
import { openCluster, primary } from "./vault/cluster";
import { UserError } from "./ui";

/** Certificates that are issued one after the other for the figure. */
const issues = 100;

/** Seconds after which a Vault that is not open again counts as broken. */
const patience = 120;

const seconds = (since: bigint): number => Number(process.hrtime.bigint() - since) / 1e9;

/**
 * What a stack with Vault does, in seconds: a certificate of its PKI (95th percentile of 100, through the API server's proxy),
 * and the time from the end of both Vaults' pods until both are open again.
 *
 * @param token file with a root token, made for this and revoked afterwards
 */
export async function trustSeconds(stack: string, kubeconfig: string, token: string): Promise<Record<string, number>> {
  const cluster = openCluster(kubeconfig, stack);
  const vault = cluster.vault().as(fs.readFileSync(token, "utf8").trim());
  const times: number[] = [];
  for (let issue = 0; issue < issues; issue++) {
    const started = process.hrtime.bigint();
    await vault.write("pki/issue/client", { common_name: "api", ttl: "5m" });
    times.push(seconds(started));
  }
  times.sort((a, b) => a - b);

  const started = process.hrtime.bigint();
  for (const name of ["vault-bootstrap", primary.namespace]) {
    const pod = `/api/v1/namespaces/${name}/pods/${name}-0`;
    await cluster.api("DELETE", pod, { kind: "DeleteOptions", apiVersion: "v1", gracePeriodSeconds: 0 });
  }
  for (const name of ["vault-bootstrap", primary.namespace]) {
    const health = `/api/v1/namespaces/${name}/pods/https:${name}-0:${primary.port}/proxy/v1/sys/health?standbyok=true`;
    for (;;) {
      const open = await cluster.api<{ sealed: boolean }>("GET", health).then(
        ({ sealed }) => !sealed,
        () => false,
      );
      if (open) break;
      if (seconds(started) > patience)
        throw new UserError(`${name} is not open ${patience} s after its pod was killed`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  return { "certificate, p95": times[Math.ceil(issues * 0.95) - 1]!, "Vaults killed to open": seconds(started) };
}
