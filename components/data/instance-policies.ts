import * as k8s from "@pulumi/kubernetes";
import { Client } from "../workload";

/** Port of the instance manager's status server (upstream's `url.StatusPort`). */
export const statusPort = 8000;

/** Replication, and the liveness probe's question whether an isolated primary is the only one that is cut off. */
const peerPorts = [5432, statusPort];

type PolicyArgs = k8s.networking.v1.NetworkPolicyArgs & { metadata: { name: string } };

/** What the instances of one cluster, and the jobs that set them up, say to each other. */
export function planInstancePolicies(instances: Client): PolicyArgs[] {
  const podSelector = { matchLabels: instances.pods };
  const ports = peerPorts.map((port) => ({ port, protocol: "TCP" }));
  const name = `${instances.name}-peers`;
  return [
    {
      metadata: { name, namespace: instances.namespace.name },
      spec: {
        podSelector,
        policyTypes: ["Ingress", "Egress"],
        ingress: [{ from: [{ podSelector }], ports }],
        egress: [{ to: [{ podSelector }], ports }],
      },
    },
  ];
}
