import type { KubeClient } from "../access/api";
import { KubeError } from "../kube";

/** The CSI driver's name in volumes, classes and nodes. */
export const csiDriver = "csi.hetzner.cloud";

/** What is read of Kubernetes objects here. */
interface KubeObject {
  metadata: { name: string; namespace?: string; uid: string; ownerReferences?: Owner[]; deletionTimestamp?: string };
}

interface Owner {
  apiVersion: string;
  kind: string;
  name: string;
  controller?: boolean;
}

interface Service extends KubeObject {
  spec: { type?: string };
}

interface Volume extends KubeObject {
  spec: {
    csi?: { driver: string; volumeHandle: string };
    claimRef?: { namespace: string; name: string };
    persistentVolumeReclaimPolicy?: string;
  };
}

interface Pod extends KubeObject {
  spec: { volumes?: { persistentVolumeClaim?: { claimName: string } }[] };
}

/** A volume of the cloud that a claim of the cluster made. */
export interface ClusterVolume {
  /** Id in the cloud. */
  id: number;
  name: string;
  claim?: { namespace: string; name: string };
  /** It is to outlive its claim. */
  retain: boolean;
}

/** A Service that asks for a balancer. */
export interface ClusterService {
  uid: string;
  namespace: string;
  name: string;
}

/** What a cluster may have made in the cloud. */
export interface ClusterThings {
  services: ClusterService[];
  volumes: ClusterVolume[];
}

const items = async <T>(kube: KubeClient, path: string): Promise<T[]> =>
  (await kube.request<{ items?: T[] }>("GET", path)).items ?? [];

/** Asks the cluster which Services want a balancer, and which volumes of the CSI driver it has. */
export async function askCluster(kube: KubeClient): Promise<ClusterThings> {
  const services = await items<Service>(kube, "/api/v1/services");
  const volumes = await items<Volume>(kube, "/api/v1/persistentvolumes");
  return {
    services: services
      .filter(({ spec }) => spec.type === "LoadBalancer")
      .map(({ metadata: { uid, name, namespace = "" } }) => ({ uid, name, namespace })),
    volumes: volumes.flatMap(({ metadata, spec }): ClusterVolume[] => {
      if (spec.csi?.driver !== csiDriver) return [];
      const retain = spec.persistentVolumeReclaimPolicy === "Retain";
      return [{ id: Number(spec.csi.volumeHandle), name: metadata.name, claim: spec.claimRef, retain }];
    }),
  };
}

/** Deletes an object; one that is gone already is as good. */
export async function deletePath(kube: KubeClient, path: string): Promise<void> {
  try {
    await kube.request("DELETE", path, { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Background" });
  } catch (error) {
    if (!(error instanceof KubeError) || error.status !== 404) throw error;
  }
}

/** Whether an object is there. */
export async function exists(kube: KubeClient, path: string): Promise<boolean> {
  try {
    await kube.request("GET", path);
    return true;
  } catch (error) {
    if (error instanceof KubeError && error.status === 404) return false;
    throw error;
  }
}

/**
 * Deletes claims with all that uses them: a claim is not let go while a pod mounts it, and a pod comes back while its controller wants it.
 * So the outermost controller goes first (a StatefulSet, a Deployment, a database's own resource), whatever its kind.
 */
export async function deleteClaims(
  kube: KubeClient,
  claims: readonly { namespace: string; name: string }[],
): Promise<void> {
  const paths = new PathFinder(kube);
  const owners = new Set<string>();
  for (const namespace of new Set(claims.map((claim) => claim.namespace))) {
    const wanted = new Set(claims.filter((claim) => claim.namespace === namespace).map(({ name }) => name));
    for (const pod of await items<Pod>(kube, `/api/v1/namespaces/${namespace}/pods`)) {
      const mounts = pod.spec.volumes?.some((one) => wanted.has(one.persistentVolumeClaim?.claimName ?? ""));
      if (mounts) owners.add(await outermost(paths, kube, namespace, pod));
    }
  }
  for (const owner of owners) await deletePath(kube, owner);
  for (const { namespace, name } of claims) {
    await deletePath(kube, `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${name}`);
  }
}

/** Path of the controller of the controller of a pod, as far up as there is one. */
async function outermost(paths: PathFinder, kube: KubeClient, namespace: string, pod: Pod): Promise<string> {
  let path = `/api/v1/namespaces/${namespace}/pods/${pod.metadata.name}`;
  let owners = pod.metadata.ownerReferences;
  for (let depth = 0; depth < 8; depth++) {
    const owner = owners?.find(({ controller }) => controller);
    const above = owner && (await paths.of(owner, namespace));
    if (!above) break;
    try {
      owners = (await kube.request<KubeObject>("GET", above)).metadata.ownerReferences;
    } catch (error) {
      if (error instanceof KubeError && error.status === 404) break; // it goes already
      throw error;
    }
    path = above;
  }
  return path;
}

/** Finds the paths of objects of any kind, as the API server's discovery tells them. */
class PathFinder {
  private readonly kinds = new Map<string, Promise<{ name: string; kind: string; namespaced: boolean }[]>>();
  private readonly kube: KubeClient;

  constructor(kube: KubeClient) {
    this.kube = kube;
  }

  async of({ apiVersion, kind, name }: Owner, namespace: string): Promise<string | undefined> {
    const base = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const known = this.kinds.get(base) ?? this.discover(base);
    this.kinds.set(base, known);
    const found = (await known).find((one) => one.kind === kind && !one.name.includes("/"));
    if (!found) return undefined;
    return `${base}${found.namespaced ? `/namespaces/${namespace}` : ""}/${found.name}/${name}`;
  }

  private async discover(base: string): Promise<{ name: string; kind: string; namespaced: boolean }[]> {
    type Resources = { resources?: { name: string; kind: string; namespaced: boolean }[] };
    return (await this.kube.request<Resources>("GET", base)).resources ?? [];
  }
}
