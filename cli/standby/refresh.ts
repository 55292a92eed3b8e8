import { type KeptObject, putObject, unlessMissing } from "../backup/parts/objects";
import { waitUntilOpen } from "../backup/parts/vault";
import type { Target } from "../restore/data";
import { readPart } from "../restore/state";
import { say, UserError } from "../ui";
import { type AdminCluster, primary } from "../vault/cluster";
import { withRoot } from "../vault/keys";

const sealing = { namespace: "sealed-secrets", label: "sealedsecrets.bitnami.com/sealed-secrets-key" };

/** Brings over sealing keys that were made since. The controller reads its keys when it starts. */
export async function refreshSealingKeys({ cluster, store, manifest }: Target): Promise<void> {
  const objects = JSON.parse((await readPart(store, manifest, "objects")).toString("utf8")) as KeptObject[];
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
  say(`${added} sealing keys are new`);
}

/** Replaces what a standby's Vault has by what the other one has now, then has the stack's own documents applied again. */
export async function refreshVault({ cluster, store, manifest, signal }: Target, stack: string): Promise<void> {
  if (!manifest.parts["vault"]) return;
  const snapshot = await readPart(store, manifest, "vault");
  await cluster.chooseLeader();
  await withRoot(cluster, stack, (root) => root.raw("POST", "sys/storage/raft/snapshot-force", snapshot, 300_000));
  await waitUntilOpen(cluster, signal);
  await repeatJobs(cluster);
  say("Vault has the newer snapshot");
}

interface Job {
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: { template: { metadata?: { labels?: Record<string, string> } }; selector?: object; [key: string]: unknown };
  status?: { succeeded?: number; failed?: number };
}

const jobs = `/apis/batch/v1/namespaces/${primary.namespace}/jobs`;
/** Labels that the API server gives each Job's pods anew. */
const given = /(^|\/)(controller-uid|job-name)$/;

/** Runs the jobs that configure Vault once more, as the graph made them. @throws UserError where one does not end well */
async function repeatJobs(cluster: AdminCluster): Promise<void> {
  const { items } = await cluster.api<{ items: Job[] }>("GET", jobs);
  // Those of a CronJob, and repeats of earlier syncs, are none of the graph's.
  const own = items.filter(
    ({ metadata }) => metadata.annotations?.[mark] === undefined && !("ownerReferences" in metadata),
  );
  for (const job of own) await repeat(cluster, job);
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
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  throw new UserError(`the job ${name} has not ended well: see its log in namespace ${primary.namespace}`);
}
