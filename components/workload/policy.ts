import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { Client, Endpoint } from "./endpoint";
import { NamespaceRef } from "./types";

type PolicyArgs = k8s.networking.v1.NetworkPolicyArgs;
type Peer = k8s.types.input.networking.v1.NetworkPolicyPeer;
type Port = k8s.types.input.networking.v1.NetworkPolicyPort;

/** The label that the API server itself puts on every namespace. */
const namespaceLabel = "kubernetes.io/metadata.name";

/** Nothing in, nothing out, for every pod of the namespace. */
export function planDefaultDeny(namespace: NamespaceRef): PolicyArgs {
  return {
    metadata: { name: "default-deny", namespace: namespace.name },
    spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
  };
}

/** Every pod of the namespace may ask the cluster's DNS, and no other. */
export function planDnsEgress(namespace: NamespaceRef): PolicyArgs {
  const dns: Client = {
    name: "dns",
    namespace: { label: "kube-system", name: "kube-system" },
    pods: { "k8s-app": "kube-dns" },
  };
  return {
    metadata: { name: "allow-dns", namespace: namespace.name },
    spec: {
      podSelector: {},
      policyTypes: ["Egress"],
      egress: [{ to: [podsOf(dns, namespace)], ports: [port(53, "UDP"), port(53, "TCP")] }],
    },
  };
}

/** The client's side of a connection: its pods may open it. */
export function planEgress(client: Client, endpoint: Endpoint): PolicyArgs {
  const { backend } = endpoint;
  const to =
    "pods" in backend
      ? [podsOf({ name: endpoint.name, namespace: endpoint.namespace, pods: backend.pods }, client.namespace)]
      : pulumi.output(backend.addresses).apply((cidrs) => cidrs.map((cidr) => ({ ipBlock: { cidr } })));
  return {
    metadata: { name: `${client.name}-to-${endpoint.name}`, namespace: client.namespace.name },
    spec: {
      podSelector: { matchLabels: client.pods },
      policyTypes: ["Egress"],
      egress: [{ to, ports: [port(backend.port, endpoint.protocol)] }],
    },
  };
}

/** The endpoint's side of a connection: its pods accept the client. Undefined where no pods of ours serve it. */
export function planIngress(client: Client, endpoint: Endpoint): PolicyArgs | undefined {
  const { backend } = endpoint;
  if (!("pods" in backend)) return undefined;
  return {
    metadata: { name: `${endpoint.name}-from-${client.name}`, namespace: endpoint.namespace.name },
    spec: {
      podSelector: { matchLabels: backend.pods },
      policyTypes: ["Ingress"],
      ingress: [{ from: [podsOf(client, endpoint.namespace)], ports: [port(backend.port, endpoint.protocol)] }],
    },
  };
}

/**
 * Pods accept these ports from addresses that are no pods of ours: from anywhere (an edge's own doors) or from a list of
 * CIDRs (webhooks, called by the API server). Probes need no policy: a pod's own node always reaches it.
 */
export function planOpenPorts(
  name: string,
  server: Client,
  ports: number[],
  from: "anywhere" | pulumi.Input<string>[],
): PolicyArgs {
  const peers = from === "anywhere" ? {} : { from: from.map((cidr): Peer => ({ ipBlock: { cidr } })) };
  return {
    metadata: { name, namespace: server.namespace.name },
    spec: {
      podSelector: { matchLabels: server.pods },
      policyTypes: ["Ingress"],
      ingress: [{ ...peers, ports: ports.map((number) => port(number)) }],
    },
  };
}

/** A peer that selects a client's pods as seen from a namespace: the namespace is named only where it is another one. */
function podsOf(client: Client, seenFrom: NamespaceRef): Peer {
  const podSelector = { matchLabels: client.pods };
  return client.namespace.label === seenFrom.label
    ? { podSelector }
    : { podSelector, namespaceSelector: { matchLabels: { [namespaceLabel]: client.namespace.name } } };
}

function port(number: number, protocol: "TCP" | "UDP" = "TCP"): Port {
  return { port: number, protocol };
}
