import { at, KubeApi, KubeApiError, KubeObject } from "./kube-api";
import { issueCertificates } from "./issuers";
import { leaveAuthorities } from "./keeper";
import { fulfil } from "./wait-for";

/** Nodes that are not there: their pods are Running and Ready without running anything. */
export interface SimulatedNodes {
  /** Ends the loop; resolves when its last round is over. */
  stop(): Promise<void>;
}

export interface SimulatedNodesOptions {
  /** Names of the nodes. Default `node-1`. */
  names?: string[];
  /** Address that LoadBalancer Services and Ingresses get. Default 10.41.0.10. */
  address?: string;
  /** Pause between two rounds, in milliseconds. Default 250. */
  interval?: number;
  /** Pods for which this is true stay Pending, as on a node that cannot start them. */
  stuck?: (pod: KubeObject) => boolean;
  /** What went wrong in a round; it goes on with the next one. */
  onError?: (error: Error) => void;
}

/**
 * Plays kubelet, scheduler, service load balancer, volume provisioner and the operators behind custom resources: pods
 * are bound and become ready (those of Jobs succeed), deleted pods go, claims get volumes, LoadBalancer Services and
 * Ingresses get an address, certificates their Secrets, and custom resources reach the state that their `pulumi.com/waitFor` annotation names.
 */
export async function simulateNodes(api: KubeApi, options: SimulatedNodesOptions = {}): Promise<SimulatedNodes> {
  const names = options.names ?? ["node-1"];
  await Promise.all(names.map((name, index) => makeNode(api, name, index)));
  const address = options.address ?? "10.41.0.10";
  let stopped = false;
  let pods = 0;
  const round = async () => {
    await leaveAuthorities(api);
    await each(await api.list("/api/v1/pods"), async (pod) => {
      if (!options.stuck?.(pod)) pods = await drivePod(api, pod, names, pods);
    });
    await provideVolumes(api);
    await giveAddresses(api, address);
    // Before the conditions that say so.
    await issueCertificates(api);
    await fulfil(api);
  };
  const loop = (async () => {
    while (!stopped) {
      await round().catch((error: Error) => {
        if (!stopped) options.onError?.(error);
      });
      await new Promise((resolve) => setTimeout(resolve, options.interval ?? 250));
    }
  })();
  return {
    stop: () => {
      stopped = true;
      return loop;
    },
  };
}

/** Runs `step` for each object; one that changed or went meanwhile is left to the next round. */
async function each(objects: KubeObject[], step: (object: KubeObject) => Promise<void>): Promise<void> {
  for (const object of objects) {
    try {
      await step(object);
    } catch (error) {
      if (!(error instanceof KubeApiError && [404, 409].includes(error.status))) throw error;
    }
  }
}

async function makeNode(api: KubeApi, name: string, index: number): Promise<void> {
  const path = `/api/v1/nodes/${name}`;
  if (!(await api.find(path))) {
    await api.post("/api/v1/nodes", {
      metadata: { name, labels: { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux" } },
    });
  }
  const size = { cpu: "64", memory: "256Gi", pods: "500", "ephemeral-storage": "1Ti" };
  const now = new Date().toISOString();
  await api.patch(`${path}/status`, {
    status: {
      capacity: size,
      allocatable: size,
      addresses: [{ type: "InternalIP", address: `10.41.0.${10 + index}` }],
      conditions: [
        { type: "Ready", status: "True", reason: "Simulated", lastHeartbeatTime: now, lastTransitionTime: now },
      ],
    },
  });
  // Admission taints every new node until a node controller finds it ready; none runs here.
  await api.patch(path, { spec: { taints: null } });
}

/** One step of a pod's life. Returns how many pods have got an address so far. */
async function drivePod(api: KubeApi, pod: KubeObject, nodes: string[], started: number): Promise<number> {
  const { namespace = "default", name } = pod.metadata;
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
  if (pod.metadata.deletionTimestamp) {
    await api.delete(path, { gracePeriodSeconds: 0 });
    return started;
  }
  if (!at(pod, "spec", "nodeName")) {
    const target = { apiVersion: "v1", kind: "Node", name: wantedNode(pod) ?? nodes[started % nodes.length] };
    await api.post(`${path}/binding`, { metadata: { name, namespace }, target });
  } else if (at(pod, "status", "phase") !== "Pending") {
    return started;
  }
  const isJob = pod.metadata.ownerReferences?.some((owner) => owner.kind === "Job") ?? false;
  await api.patch(`${path}/status`, { status: podStatus(pod, isJob, started) }, "strategic");
  return started + 1;
}

/** The node that a DaemonSet's pod is meant for. */
function wantedNode(pod: KubeObject): string | undefined {
  const required = ["spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];
  const terms =
    at<{ matchFields?: { key: string; values?: string[] }[] }[]>(pod, ...required, "nodeSelectorTerms") ?? [];
  for (const term of terms) {
    const field = term.matchFields?.find((match) => match.key === "metadata.name");
    if (field) return field.values?.[0];
  }
  return undefined;
}

interface Container {
  name: string;
  image: string;
}

function podStatus(pod: KubeObject, isJob: boolean, index: number): object {
  const now = new Date().toISOString();
  const condition = (type: string, status: boolean) => ({
    type,
    status: status ? "True" : "False",
    lastTransitionTime: now,
  });
  const ended = { terminated: { exitCode: 0, reason: "Completed", startedAt: now, finishedAt: now } };
  const container = (of: Container, done: boolean) => ({
    name: of.name,
    image: of.image,
    imageID: of.image,
    ready: !done,
    started: true,
    restartCount: 0,
    state: done ? ended : { running: { startedAt: now } },
  });
  const ip = `10.42.${Math.floor(index / 250) % 250}.${2 + (index % 250)}`;
  return {
    phase: isJob ? "Succeeded" : "Running",
    startTime: now,
    hostIP: "10.41.0.10",
    podIP: ip,
    podIPs: [{ ip }],
    conditions: [
      condition("PodScheduled", true),
      condition("Initialized", true),
      condition("ContainersReady", !isJob),
      condition("Ready", !isJob),
    ],
    initContainerStatuses: (at<Container[]>(pod, "spec", "initContainers") ?? []).map((of) => container(of, true)),
    containerStatuses: (at<Container[]>(pod, "spec", "containers") ?? []).map((of) => container(of, isJob)),
  };
}

/** Gives each pending claim a volume of its own; the volume controller binds them. */
async function provideVolumes(api: KubeApi): Promise<void> {
  await each(await api.list("/api/v1/persistentvolumeclaims"), async (claim) => {
    const name = `rehearsal-${claim.metadata.uid}`;
    if (at(claim, "status", "phase") !== "Pending" || at(claim, "spec", "volumeName")) return;
    await api.post("/api/v1/persistentvolumes", {
      metadata: { name },
      spec: {
        accessModes: at(claim, "spec", "accessModes"),
        capacity: { storage: at(claim, "spec", "resources", "requests", "storage") },
        storageClassName: at(claim, "spec", "storageClassName") ?? "",
        persistentVolumeReclaimPolicy: "Delete",
        hostPath: { path: `/var/lib/rehearsal/${name}` },
        claimRef: { namespace: claim.metadata.namespace, name: claim.metadata.name, uid: claim.metadata.uid },
      },
    });
  });
}

async function giveAddresses(api: KubeApi, address: string): Promise<void> {
  const status = { status: { loadBalancer: { ingress: [{ ip: address }] } } };
  const lists = [
    { list: "/api/v1/services", of: "/api/v1/namespaces/", plural: "services" },
    { list: "/apis/networking.k8s.io/v1/ingresses", of: "/apis/networking.k8s.io/v1/namespaces/", plural: "ingresses" },
  ];
  for (const { list, of, plural } of lists) {
    await each(await api.list(list), async (object) => {
      if (plural === "services" && at(object, "spec", "type") !== "LoadBalancer") return;
      if (at<unknown[]>(object, "status", "loadBalancer", "ingress")?.length) return;
      await api.patch(`${of}${object.metadata.namespace}/${plural}/${object.metadata.name}/status`, status);
    });
  }
}
