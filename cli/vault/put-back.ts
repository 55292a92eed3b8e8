import { say, UserError } from "../ui";
import { AdminCluster, ApiError } from "./cluster";
import { keysFile, readKeys } from "./files";

const namespace = "vault-bootstrap";

/**
 * `put-back`: gives the bootstrap Vault's keeper what it lost, out of the operator's file: the unseal key, and, where there is
 * none, the copy of the data. A copy that is there is younger and stays.
 */
export async function putBack(cluster: AdminCluster, stack: string): Promise<void> {
  const { bootstrap } = readKeys(stack);
  if (!bootstrap?.unsealKey) throw new UserError(`${keysFile(stack)} has no unseal key of the bootstrap Vault`);
  await write(cluster, "vault-bootstrap-keys", { unsealKey: bootstrap.unsealKey });
  const copy = await cluster.readSecret(namespace, "vault-bootstrap-copy");
  if (!copy?.["snapshot"] && bootstrap.snapshot) {
    const taken = bootstrap.taken ?? new Date().toISOString();
    await write(cluster, "vault-bootstrap-copy", { snapshot: bootstrap.snapshot, taken });
  }
  say("put back: the keeper tries it within a second. `npm run vault -- status` says whether it fits.");
}

async function write(cluster: AdminCluster, name: string, values: Record<string, string>): Promise<void> {
  try {
    await cluster.patchSecret(namespace, name, values);
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 404)) throw error;
    const metadata = { name, namespace, labels: { "app.kubernetes.io/managed-by": "groundwork-keeper" } };
    const secret = { apiVersion: "v1", kind: "Secret", type: "Opaque", metadata, stringData: values };
    await cluster.api("POST", `/api/v1/namespaces/${namespace}/secrets`, secret);
  }
}
