import { type AdminCluster, ApiError } from "../../vault/cluster";

/** An object of the API server's as it is kept: what a cluster adds by itself is left out. */
export interface KeptObject {
  apiVersion: "v1";
  kind: "Secret" | "ConfigMap";
  metadata: { name: string; namespace: string; labels?: Record<string, string> };
  type?: string;
  data?: Record<string, string>;
}

interface Named {
  kind: KeptObject["kind"];
  namespace: string;
  name: string;
}

/**
 * What programs in the cluster made and nobody else has: the bootstrap Vault's key and data, Vault's recovery keys where they
 * were not handed over, and the mark that it was initialised.
 */
const named: Named[] = [
  { kind: "Secret", namespace: "vault-bootstrap", name: "vault-bootstrap-keys" },
  { kind: "Secret", namespace: "vault-bootstrap", name: "vault-bootstrap-copy" },
  { kind: "Secret", namespace: "vault", name: "vault-recovery" },
  { kind: "ConfigMap", namespace: "vault", name: "vault-state" },
];

/** Sealing keys: without them no sealed file of the repository opens again. */
const sealing = { namespace: "sealed-secrets", selector: "sealedsecrets.bitnami.com/sealed-secrets-key" };

const plural = { Secret: "secrets", ConfigMap: "configmaps" } as const;

/** Reads all of them; those that a stack has not are left out. */
export async function readObjects(cluster: AdminCluster): Promise<KeptObject[]> {
  const single = await Promise.all(
    named.map(async ({ kind, namespace, name }) => {
      const path = `/api/v1/namespaces/${namespace}/${plural[kind]}/${name}`;
      const object = await unlessMissing(cluster.api<KeptObject>("GET", path));
      return object ? [keep(kind, object)] : [];
    }),
  );
  const path = `/api/v1/namespaces/${sealing.namespace}/secrets?labelSelector=${encodeURIComponent(sealing.selector)}`;
  const { items } = await cluster.api<{ items: KeptObject[] }>("GET", path);
  return [...single.flat(), ...items.map((object) => keep("Secret", object))];
}

function keep(kind: KeptObject["kind"], { metadata, type, data }: KeptObject): KeptObject {
  const { name, namespace, labels } = metadata;
  return {
    apiVersion: "v1",
    kind,
    metadata: { name, namespace, ...(labels && { labels }) },
    ...(type && { type }),
    data,
  };
}

/** Makes an object, or gives the one of that name this content. Namespaces are made; the graph takes them over. */
export async function putObject(cluster: AdminCluster, object: KeptObject): Promise<void> {
  const { namespace, name } = object.metadata;
  await ensureNamespace(cluster, namespace);
  const all = `/api/v1/namespaces/${namespace}/${plural[object.kind]}`;
  try {
    await cluster.api("POST", all, object);
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 409)) throw error;
    await cluster.api("PATCH", `${all}/${name}`, object, "application/merge-patch+json");
  }
}

async function ensureNamespace(cluster: AdminCluster, name: string): Promise<void> {
  if (await unlessMissing(cluster.api("GET", `/api/v1/namespaces/${name}`))) return;
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
  await cluster.api("POST", "/api/v1/namespaces", namespace).catch((error: unknown) => {
    if (!(error instanceof ApiError && error.status === 409)) throw error;
  });
}

export async function unlessMissing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}
