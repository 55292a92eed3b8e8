import { X509Certificate } from "node:crypto";
import { KubeError, KubeReader } from "../kube";
import { broken, daysUntil, Finding, reason, well, worrying } from "./finding";

/** What `GET /v1/sys/health` answers, whatever the seal's state (developer.hashicorp.com/vault/api-docs/system/health). */
interface Health {
  initialized: boolean;
  sealed: boolean;
  standby: boolean;
  server_time_utc: number;
}

/** What the keeper beside the bootstrap Vault says of it on its port (apps/keeper). */
export interface KeeperStatus {
  state:
    | "starting"
    | "initialising"
    | "restoring"
    | "unsealed"
    | "wrong-unseal-key"
    | "unseal-key-missing"
    | "storage-lost"
    | "unreachable";
  detail: string;
  since: string;
}

const keeperPort = 8300;

/** All states as 200, since the answer matters and not the status code. */
const healthQuery = "standbyok=true&perfstandbyok=true&sealedcode=200&uninitcode=200&drsecondarycode=200";

const through = (namespace: string, pod: string, port: number, scheme: "https" | "http", path: string): string =>
  `/api/v1/namespaces/${namespace}/pods/${scheme === "https" ? "https:" : ""}${pod}:${port}/proxy${path}`;

/** Days before an authority's end at which `doctor` begins to warn: a third of what an intermediate lives is left by then. */
const authorityWarning = 90;

/** What ails either Vault, by name, and what helps. */
export async function checkVault(kube: KubeReader, replicas: number, now = new Date()): Promise<Finding[]> {
  const [bootstrap, ...primaries] = await Promise.all([
    checkBootstrap(kube),
    ...Array.from({ length: replicas }, (_, index) => checkPrimary(kube, `vault-${index}`, now)),
  ]);
  return [...(bootstrap ? [bootstrap] : []), ...primaries, await checkIntermediate(kube, now)];
}

async function checkBootstrap(kube: KubeReader): Promise<Finding> {
  const check = "bootstrap Vault";
  let status: KeeperStatus;
  try {
    const path = through("vault-bootstrap", "vault-bootstrap-0", keeperPort, "http", "/status");
    status = await kube.get<KeeperStatus>(path);
  } catch (error) {
    if (error instanceof KubeError && error.status === 404) {
      return broken(
        check,
        "its pod is not there",
        "Run `npm run up`. While it is away an unsealed primary goes on; one that restarts stays sealed until it is back.",
        "docs/runbooks/vault-bootstrap-lost.md",
      );
    }
    return broken(
      check,
      `does not answer: ${reason(error)}`,
      "See why its pod does not run: `k3s kubectl -n vault-bootstrap describe pod vault-bootstrap-0`.",
      "docs/runbooks/vault-bootstrap-lost.md",
    );
  }
  switch (status.state) {
    case "unsealed":
      return well(check, `unsealed since ${status.since}`);
    case "wrong-unseal-key":
      return broken(
        check,
        `sealed: the unseal key in its Secret is refused (${status.detail})`,
        "Put the right key back from the operator's file: `npm run vault -- put-back`. The data is whole; nothing is deleted meanwhile.",
        "docs/runbooks/vault-wrong-unseal-key.md",
      );
    case "unseal-key-missing":
      return broken(
        check,
        "sealed: it is initialised, and the Secret with its unseal key is gone",
        "Put the Secret back from the operator's file: `npm run vault -- put-back`. The data is whole.",
        "docs/runbooks/vault-wrong-unseal-key.md",
      );
    case "storage-lost":
      return broken(
        check,
        "its data volume is empty although it was initialised before: the Transit key of the primary's seal is gone",
        "Do not restart the primary while it is unsealed. `npm run vault -- put-back` restores it from the operator's file.",
        "docs/runbooks/vault-bootstrap-lost.md",
      );
    default:
      return worrying(check, `${status.state}: ${status.detail}`, "Wait a minute and look again.");
  }
}

async function checkPrimary(kube: KubeReader, pod: string, now: Date): Promise<Finding> {
  const check = `Vault ${pod}`;
  try {
    const health = await kube.get<Health>(through("vault", pod, 8200, "https", `/v1/sys/health?${healthQuery}`));
    const drift = Math.abs(health.server_time_utc - now.getTime() / 1000);
    if (!health.initialized) {
      return broken(check, "not initialised", "Run `npm run up`: it initialises and configures it.");
    }
    if (health.sealed) {
      return broken(
        check,
        "sealed: it can't reach the bootstrap Vault's Transit key, or its token for it has ended",
        "Mend the bootstrap Vault first; the primary then unseals by itself within a minute.",
        "docs/runbooks/vault-sealed.md",
      );
    }
    if (drift > 30) {
      return broken(
        check,
        `its clock differs by ${Math.round(drift)} s: leases and certificates end too early or too late`,
        "Put the clocks right; leases and certificates are issued anew.",
        "docs/runbooks/clock.md",
      );
    }
    return well(check, health.standby ? "unsealed, standby" : "unsealed, active");
  } catch (error) {
    return broken(
      check,
      `does not answer: ${reason(error)}`,
      `See why its pod does not run: \`k3s kubectl -n vault describe pod ${pod}\`.`,
      "docs/runbooks/vault-sealed.md",
    );
  }
}

async function checkIntermediate(kube: KubeReader, now: Date): Promise<Finding> {
  const check = "intermediate authority";
  const runbook = "docs/runbooks/vault-intermediate.md";
  try {
    const pem = await kube.get<string>(through("vault", "vault-0", 8200, "https", "/v1/pki/ca/pem"));
    const end = new Date(new X509Certificate(pem).validTo);
    const days = daysUntil(end, now);
    const remedy =
      "Run `npm run vault -- renew` (with the root offline, `root-ca online` first): leaves follow as they renew.";
    if (days < 0) return broken(check, `expired ${-days} days ago: no certificate can be issued`, remedy, runbook);
    if (days < authorityWarning) return worrying(check, `ends in ${days} days`, remedy, runbook);
    return well(check, `${days} days left`);
  } catch (error) {
    return broken(check, `not read: ${reason(error)}`, "Mend Vault first.", runbook);
  }
}
