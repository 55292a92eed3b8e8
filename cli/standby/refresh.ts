import { type VaultClient, VaultError } from "../../apps/keeper/src/vault/client";
import { type KeptObject, putObject, unlessMissing } from "../backup/parts/objects";
import { patiently, waitUntilOpen } from "../backup/parts/vault";
import type { Target } from "../restore/data";
import { readPart } from "../restore/state";
import { say, UserError } from "../ui";
import { type AdminCluster, primary } from "../vault/cluster";
import { withRoot } from "../vault/keys";

const sealing = { namespace: "sealed-secrets", label: "sealedsecrets.bitnami.com/sealed-secrets-key" };

const seal = { namespace: "vault-bootstrap", name: "vault-bootstrap-keys", key: "unsealKey" };
const recovery = { namespace: "vault", name: "vault-recovery" };

/** The Secrets of a backup. */
export async function readKept({ store, manifest }: Target): Promise<KeptObject[]> {
  return JSON.parse((await readPart(store, manifest, "objects")).toString("utf8")) as KeptObject[];
}

/** Values of one of them, decoded. */
export function valuesOf(objects: KeptObject[], { namespace, name }: { namespace: string; name: string }) {
  const found = objects.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
  if (!found) return undefined;
  const decode = ([key, value]: [string, string]) => [key, Buffer.from(value, "base64").toString("utf8")];
  return Object.fromEntries(Object.entries(found.data ?? {}).map(decode)) as Record<string, string>;
}

/** @throws UserError where the other stack's Vault is sealed by another key since: this one could not open its snapshot */
export async function refuseOtherSeal(cluster: AdminCluster, objects: KeptObject[]): Promise<void> {
  const wanted = valuesOf(objects, seal)?.[seal.key];
  const own = (await cluster.readSecret(seal.namespace, seal.name))?.[seal.key];
  if (wanted === undefined || own === wanted) return;
  throw new UserError(
    "the bootstrap Vault of the other stack is another one than at the first sync, and its key opens Vault's snapshots: " +
      "destroy this standby and sync it anew. Nothing was changed.",
  );
}

/** Brings over sealing keys that were made since. The controller reads its keys when it starts. */
export async function refreshSealingKeys(cluster: AdminCluster, objects: KeptObject[]): Promise<void> {
  const keys = objects.filter(({ metadata }) => metadata.labels?.[sealing.label] !== undefined);
  let added = 0;
  for (const key of keys) {
    if (await cluster.readSecret(sealing.namespace, key.metadata.name)) continue;
    await putObject(cluster, key);
    added += 1;
  }
  if (added === 0) return;
  const path = `/apis/apps/v1/namespaces/${sealing.namespace}/deployments/sealed-secrets`;
  const annotations = { "kubectl.kubernetes.io/restartedAt": new Date().toISOString() };
  const body = { spec: { template: { metadata: { annotations } } } };
  await cluster.api("PATCH", path, body, "application/merge-patch+json");
  say(added === 1 ? "one sealing key is new" : `${added} sealing keys are new`);
}

/** Replaces what a standby's Vault has by what the other one has now, with the recovery keys that count for that. */
export async function refreshVault(target: Target, stack: string, objects: KeptObject[]): Promise<void> {
  const { cluster, store, manifest, signal } = target;
  if (!manifest.parts["vault"]) return;
  const snapshot = await readPart(store, manifest, "vault");
  const kept = valuesOf(objects, recovery) ?? {};
  // Those of the backup count already where a sync was ended right after the snapshot.
  const spare = kept["keys"] === undefined ? [] : (JSON.parse(kept["keys"]) as string[]);
  await cluster.chooseLeader();
  await withRoot(cluster, stack, (root) => load(root, snapshot, signal), spare);
  const own = (await cluster.readSecret(recovery.namespace, recovery.name)) ?? {};
  await cluster.patchSecret(recovery.namespace, recovery.name, changesTo(own, kept));
  await waitUntilOpen(cluster, signal);
  say("Vault has the newer snapshot");
}

/** What makes a Secret's values others: keys that were handed over at the other stack are not to stay here either. */
export function changesTo(own: Record<string, string>, wanted: Record<string, string>): Record<string, string | null> {
  const gone = Object.keys(own).filter((key) => !(key in wanted));
  return { ...Object.fromEntries(gone.map((key) => [key, null])), ...wanted };
}

/** Until what answers is the snapshot's Vault: only that does not know the token of before. */
async function load(root: VaultClient, snapshot: Buffer, signal: AbortSignal): Promise<void> {
  await root.raw("POST", "sys/storage/raft/snapshot-force", snapshot, 300_000);
  await patiently(120, signal, async () => {
    try {
      await root.read("auth/token/lookup-self");
    } catch (error) {
      if (error instanceof VaultError && error.status === 403) return;
      throw error;
    }
    throw new UserError("Vault has not taken the snapshot");
  });
}

interface Job {
  metadata: {
    name: string;
    creationTimestamp?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec: { template: { metadata?: { labels?: Record<string, string> } }; selector?: object; [key: string]: unknown };
  status?: { succeeded?: number; conditions?: { type: string; status: string }[] };
}

const jobs = `/apis/batch/v1/namespaces/${primary.namespace}/jobs`;
/** Labels that the API server gives each Job's pods anew. */
const given = /(^|\/)(controller-uid|job-name)$/;

/**
 * Runs the jobs that configure Vault once more, as the graph made them and in its order: a snapshot has the other stack's
 * documents. @throws UserError where one does not end well
 */
export async function repeatJobs(cluster: AdminCluster): Promise<void> {
  const { items } = await cluster.api<{ items: Job[] }>("GET", jobs);
  // Those of a CronJob, and repeats of earlier syncs, are none of the graph's.
  const own = items.filter(
    ({ metadata }) => metadata.annotations?.[mark] === undefined && !("ownerReferences" in metadata),
  );
  const made = ({ metadata }: Job): string => metadata.creationTimestamp ?? "";
  for (const job of own.sort((a, b) => made(a).localeCompare(made(b)))) await repeat(cluster, job);
}

const mark = "groundwork/repeat-of";

async function repeat(cluster: AdminCluster, { metadata, spec }: Job): Promise<void> {
  const name = `${metadata.name}-${Date.now().toString(36)}`;
  const { selector: _selector, ...rest } = spec;
  const labels = Object.fromEntries(
    Object.entries(spec.template.metadata?.labels ?? {}).filter(([key]) => !given.test(key)),
  );
  await cluster.api("POST", jobs, {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, labels: metadata.labels, annotations: { [mark]: metadata.name } },
    spec: {
      ...rest,
      ttlSecondsAfterFinished: 600,
      template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
    },
  });
  for (let tries = 0; tries < 300; tries += 1) {
    const found = await unlessMissing(cluster.api<Job>("GET", `${jobs}/${name}`));
    if (found?.status?.succeeded) return;
    if (found?.status?.conditions?.some(({ type, status }) => type === "Failed" && status === "True")) break;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  throw new UserError(`the job ${name} has not ended well: see its log in namespace ${primary.namespace}`);
}
