import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

type PolicySpec = k8s.types.input.networking.v1.NetworkPolicySpec;
type Ports = k8s.types.input.networking.v1.NetworkPolicyPort[];

const everyPod = {};
const tcp = (...ports: number[]): Ports => ports.map((port) => ({ protocol: "TCP", port }));
const dns: Ports = [
  { protocol: "UDP", port: 53 },
  { protocol: "TCP", port: 53 },
];
const addresses = (all: pulumi.Input<string>[]) =>
  all.map((address) => ({ ipBlock: { cidr: pulumi.interpolate`${address}/32` } }));

/**
 * Network policies of kube-system, by name: everything is closed, and each of K3s's own components gets what it
 * needs. The hardening guide (docs.k3s.io/security/hardening-guide, NetworkPolicies) asks for the incoming side;
 * the outgoing side is ours.
 */
export function systemPolicies(
  servers: pulumi.Input<string>[],
  nodes: pulumi.Input<string>[],
): Record<string, PolicySpec> {
  const pods = (app: string) => ({ matchLabels: { "k8s-app": app } });
  const toApi = { to: addresses(servers), ports: tcp(6443) };
  return {
    "default-deny": { podSelector: everyPod, policyTypes: ["Ingress", "Egress"] },
    "intra-namespace": {
      podSelector: everyPod,
      policyTypes: ["Ingress", "Egress"],
      ingress: [{ from: [{ podSelector: {} }] }],
      egress: [{ to: [{ podSelector: {} }] }],
    },
    "allow-api-server": { podSelector: everyPod, policyTypes: ["Egress"], egress: [toApi] },
    "allow-dns": {
      podSelector: pods("kube-dns"),
      policyTypes: ["Ingress", "Egress"],
      // Port 53, and 9153 for the metrics that monitoring scrapes.
      ingress: [{ ports: dns }, { ports: tcp(9153) }],
      // Names outside of the cluster are asked of the machine's own name servers, whatever these are.
      egress: [{ ports: dns }],
    },
    "allow-metrics-server": {
      podSelector: pods("metrics-server"),
      policyTypes: ["Ingress", "Egress"],
      // The API server asks it, from a machine's address, so no selector can name it.
      ingress: [{ ports: tcp(10250) }],
      egress: [{ to: addresses(nodes), ports: tcp(10250) }],
    },
    "allow-service-load-balancer": {
      // Pods of K3s's servicelb: they forward whatever a LoadBalancer Service is for.
      podSelector: { matchExpressions: [{ key: "svccontroller.k3s.cattle.io/svcname", operator: "Exists" }] },
      policyTypes: ["Ingress", "Egress"],
      ingress: [{}],
      egress: [{}],
    },
  };
}

/** Namespaces in which nothing runs: closed both ways. */
const emptyNamespaces = ["default", "kube-node-lease", "kube-public"];

export interface ClusterBaselineArgs {
  /** Addresses of the servers, and of all nodes. */
  servers: pulumi.Input<string>[];
  nodes: pulumi.Input<string>[];
  /** What the whole cluster goes away with: then nothing has to be deleted in it. */
  cluster?: pulumi.Resource;
}

/** What the hardening asks for inside the cluster, in the namespaces that Kubernetes makes itself. */
export class ClusterBaseline extends pulumi.ComponentResource {
  constructor(name: string, args: ClusterBaselineArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:cluster:ClusterBaseline", name, {}, opts);
    const policy = (namespace: string, title: string, spec: PolicySpec) =>
      new k8s.networking.v1.NetworkPolicy(
        `${name}-${namespace}-${title}`,
        { metadata: { name: title, namespace }, spec },
        { parent: this, deletedWith: args.cluster },
      );
    for (const [title, spec] of Object.entries(systemPolicies(args.servers, args.nodes))) {
      policy("kube-system", title, spec);
    }
    for (const namespace of emptyNamespaces) {
      policy(namespace, "default-deny", { podSelector: everyPod, policyTypes: ["Ingress", "Egress"] });
    }
    // CIS 5.1.5, 5.1.6: a pod that names no account gets none of its rights. The account is Kubernetes's own, so it is
    // patched and never deleted.
    for (const namespace of ["kube-system", ...emptyNamespaces]) {
      new k8s.core.v1.ServiceAccountPatch(
        `${name}-${namespace}-default-account`,
        {
          metadata: { name: "default", namespace, annotations: { "pulumi.com/patchForce": "true" } },
          automountServiceAccountToken: false,
        },
        { parent: this, retainOnDelete: true },
      );
    }
    if (args.servers.length > 1) this.spreadNames(name, args.cluster);
    this.registerOutputs({});
  }

  /**
   * K3s runs one CoreDNS, and with its machine every name in the cluster would be gone until another one is up. Its manifest leaves
   * the number of them to others, and spreads them over the machines where it can (manifests/coredns.yaml in k3s-io/k3s); the budget
   * keeps a drain from taking both at once where it could not.
   */
  private spreadNames(name: string, cluster?: pulumi.Resource): void {
    const annotations = { "pulumi.com/patchForce": "true" };
    new k8s.apps.v1.DeploymentPatch(
      `${name}-coredns`,
      {
        metadata: { name: "coredns", namespace: "kube-system", annotations },
        spec: { replicas: 2 },
      },
      { parent: this, retainOnDelete: true, deletedWith: cluster },
    );
    new k8s.policy.v1.PodDisruptionBudget(
      `${name}-coredns`,
      {
        metadata: { name: "coredns", namespace: "kube-system" },
        spec: {
          ...{ maxUnavailable: 1, unhealthyPodEvictionPolicy: "AlwaysAllow" },
          selector: { matchLabels: { "k8s-app": "kube-dns" } },
        },
      },
      { parent: this, deletedWith: cluster },
    );
  }
}
