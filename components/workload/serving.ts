import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { Endpoint } from "./endpoint";
import { NamespaceRef, Transform } from "./types";

/** How a workload's Service looks from outside. */
export interface ServiceArgs {
  /** Port of the Service for each of the container's port names. @default the container's ports, unchanged */
  ports?: Record<string, number>;
  /** @default "ClusterIP" */
  type?: "ClusterIP" | "LoadBalancer";
  /**
   * `Local` keeps the client's address and serves only from nodes with a pod of it; for load balancers.
   * @default "Cluster"
   */
  externalTrafficPolicy?: "Cluster" | "Local";
  /** No address of its own: its name gives the pods' addresses, ready or not, so that peers find each other. @default false */
  headless?: boolean;
}

/** Plans a Service of the workload's own name in front of its pods. */
export function planService(
  name: string,
  namespace: NamespaceRef,
  pods: Record<string, string>,
  containerPorts: Record<string, number>,
  args: ServiceArgs,
): k8s.core.v1.ServiceArgs {
  const ports = args.ports ?? containerPorts;
  const type = args.type ?? "ClusterIP";
  return {
    metadata: { name, namespace: namespace.name },
    spec: {
      type,
      selector: pods,
      ...(args.headless && { clusterIP: "None", publishNotReadyAddresses: true }),
      externalTrafficPolicy: type === "LoadBalancer" ? (args.externalTrafficPolicy ?? "Cluster") : undefined,
      ports: Object.entries(ports).map(([port, number]) => {
        if (containerPorts[port] === undefined) throw new Error(`${name} has no container port called ${port}`);
        return { name: port, port: number, targetPort: port };
      }),
    },
  };
}

/** How many pods may be away at once: a PodDisruptionBudget for `replicas` pods that never forbids draining a node. */
export function planDisruptionBudget(
  name: string,
  namespace: NamespaceRef,
  pods: Record<string, string>,
  replicas: number,
): k8s.policy.v1.PodDisruptionBudgetArgs {
  const bound = replicas > 1 ? { minAvailable: replicas - 1 } : { maxUnavailable: 1 };
  return {
    metadata: { name, namespace: namespace.name },
    spec: { ...bound, selector: { matchLabels: pods }, unhealthyPodEvictionPolicy: "AlwaysAllow" },
  };
}

/** The endpoint of one of a workload's ports. */
export function endpointOf(
  workload: { client: { name: string; namespace: NamespaceRef; pods: Record<string, string> } },
  port: string,
  containerPorts: Record<string, number>,
  service: ServiceArgs,
  ready: pulumi.Input<string>,
): Endpoint {
  const target = containerPorts[port];
  const { name, namespace, pods } = workload.client;
  if (target === undefined) throw new Error(`${name} has no port called ${port}`);
  return {
    name,
    namespace,
    service: name,
    port: service.ports?.[port] ?? target,
    backend: { pods, port: target },
    ready,
  };
}

/** Applies a caller's transform, if there is one. */
export function transformed<T>(transform: Transform<T> | undefined, args: T): T {
  return transform ? transform(args) : args;
}
