import { say, UserError } from "../ui";
import { AdminCluster, primary } from "./cluster";

interface Job {
  status?: { succeeded?: number; failed?: number };
}

const cronJob = "vault-authorities";
const jobs = `/apis/batch/v1/namespaces/${primary.namespace}/jobs`;

/** `renew`: runs the weekly look at the authorities now. */
export async function renewAuthorities(cluster: AdminCluster, stack: string): Promise<void> {
  const path = `/apis/batch/v1/namespaces/${primary.namespace}/cronjobs/${cronJob}`;
  const { spec } = await cluster.api<{ spec: { jobTemplate: { spec: object } } }>("GET", path);
  const name = `${cronJob}-${Date.now().toString(36)}`;
  const annotations = { "cronjob.kubernetes.io/instantiate": "manual" };
  await cluster.api("POST", jobs, {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, annotations },
    spec: { ...spec.jobTemplate.spec, ttlSecondsAfterFinished: 3600 },
  });
  for (let tries = 0; tries < 120; tries += 1) {
    const { status } = await cluster.api<Job>("GET", `${jobs}/${name}`);
    if (status?.succeeded) {
      say("the authorities are looked after: `npm run vault -- status` says how long they last");
      return;
    }
    if ((status?.failed ?? 0) > 2) break;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  throw new UserError(`the job ${name} of ${stack} has not ended well: see its log in namespace ${primary.namespace}`);
}
