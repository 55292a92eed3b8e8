import type { KubeClient } from "../access/api";
import type { CloudApi } from "./api";
import { askCluster, type ClusterThings, deleteClaims, deletePath, exists } from "./cluster";
import type { AnyObject } from "./kinds";
import { selectorOf, serviceLabel } from "./orphans";
import { addToRecord } from "./record";

/** How a drain went. */
export interface Drained {
  /** Services whose balancers went, and volumes that went. */
  services: number;
  volumes: number;
  /** What was still there when the time was up, or why the cluster could not be asked. */
  left: string[];
}

export interface DrainOptions {
  stack: string;
  api: CloudApi;
  /** The cluster's administrator; undefined where there is no kubeconfig. */
  kube?: KubeClient;
  /** Longest wait for the cluster to let go of what it made, in seconds. Default 180. */
  patience?: number;
  tell?: (line: string) => void;
  sleep?: (milliseconds: number) => Promise<void>;
}

/**
 * Has the cluster give back what it made in the cloud, before its machines go: balancers of Services and volumes of claims. What it made is
 * recorded first, so that whatever is left can be told from other clusters' afterwards. A cluster that does not answer holds up nothing.
 */
export async function drainCluster(options: DrainOptions): Promise<Drained> {
  const { stack, api, kube, tell = () => undefined } = options;
  const networks = await api.list("/networks", "networks", { label_selector: selectorOf(stack) });
  addToRecord(stack, { networks: networks.map(({ id }) => id), destroyed: new Date().toISOString() });
  if (!kube) return { services: 0, volumes: 0, left: ["there is no kubeconfig of the cluster"] };
  let things: ClusterThings;
  try {
    things = await askCluster(kube);
  } catch (error) {
    return { services: 0, volumes: 0, left: [`the cluster does not answer (${(error as Error).message})`] };
  }
  // A Service of this type may be served by the nodes themselves; only the cloud knows for which of them it has a balancer.
  const balancers = await api.list<AnyObject>("/load_balancers", "load_balancers", { label_selector: serviceLabel });
  const balanced = new Set(balancers.map(({ labels }) => labels?.[serviceLabel]));
  const services = things.services.filter(({ uid }) => balanced.has(uid));
  addToRecord(stack, {
    services: services.map(({ uid }) => uid),
    volumes: things.volumes.map(({ id, name, claim, retain }) => {
      return { id, claim: claim ? `${claim.namespace}/${claim.name}` : name, retain };
    }),
  });
  const volumes = things.volumes.filter(({ retain }) => !retain);
  if (services.length + volumes.length === 0) return { services: 0, volumes: 0, left: [] };
  tell(`the cluster gives back ${services.length} balancers and ${volumes.length} volumes`);
  return letGo(kube, { services, volumes }, options);
}

async function letGo(kube: KubeClient, { services, volumes }: ClusterThings, options: DrainOptions): Promise<Drained> {
  const sleep = options.sleep ?? ((ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)));
  const waiting = new Map<string, string>();
  for (const { namespace, name } of services) {
    waiting.set(`/api/v1/namespaces/${namespace}/services/${name}`, `Service ${namespace}/${name}`);
  }
  for (const { name, claim } of volumes) {
    const what = claim ? `the volume of claim ${claim.namespace}/${claim.name}` : `volume ${name}`;
    waiting.set(`/api/v1/persistentvolumes/${name}`, what);
  }
  const count = () => [...waiting.keys()].filter((path) => path.includes("/services/")).length;
  const end = Date.now() + (options.patience ?? 180) * 1000;
  try {
    for (const path of [...waiting.keys()].filter((one) => one.includes("/services/"))) await deletePath(kube, path);
    await deleteClaims(
      kube,
      volumes.flatMap(({ claim }) => claim ?? []),
    );
    // A volume without a claim is not waited for by anybody: it goes by itself or by its id afterwards.
    for (;;) {
      for (const path of [...waiting.keys()]) if (!(await exists(kube, path))) waiting.delete(path);
      if (waiting.size === 0 || Date.now() > end) break;
      await sleep(2000);
    }
  } catch (error) {
    const left = [...waiting.values(), `the cluster stopped answering (${(error as Error).message})`];
    return { services: services.length - count(), volumes: volumes.length - (waiting.size - count()), left };
  }
  return {
    services: services.length - count(),
    volumes: volumes.length - (waiting.size - count()),
    left: [...waiting.values()],
  };
}
