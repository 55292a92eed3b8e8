import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { Foundation } from "./foundation";
import { planDefaultDeny, planDnsEgress } from "./policy";
import { Bytes, Cpu, NamespaceRef, Tier } from "./types";
import { knownName } from "./known-name";

/** What all pods of a namespace may ask for together. */
export interface NamespaceQuota {
  pods: number;
  requests: { cpu: Cpu; memory: Bytes };
  limits: { cpu: Cpu; memory: Bytes };
  /** Sum of the volumes that may be claimed. @default no volumes */
  storage?: Bytes;
  /** Sum of the pods' local disk limits. @default "8Gi" */
  localDisk?: Bytes;
  /** Services of type LoadBalancer. @default 0 */
  loadBalancers?: number;
}

export interface PlatformNamespaceArgs {
  foundation: Foundation;
  /** Name of the namespace. @default the component's name */
  namespace?: string;
  /** Priority of what runs here, unless a workload says otherwise. */
  tier: Tier;
  quota: NamespaceQuota;
}

/**
 * A namespace in which nothing is allowed until it is asked for: restricted Pod Security, no traffic either way but DNS,
 * a quota, default and maximal container sizes, and a default service account without a token.
 */
export class PlatformNamespace extends pulumi.ComponentResource implements NamespaceRef {
  /** The plain name, for comparing and for host names. */
  readonly label: string;
  /** The name, known once every guard stands: whoever puts something here by this name comes after them. */
  readonly name: pulumi.Output<string>;
  readonly foundation: Foundation;
  readonly tier: Tier;
  /** The namespace itself, for `deletedWith`. */
  readonly resource: k8s.core.v1.Namespace;

  constructor(name: string, args: PlatformNamespaceArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:workload:PlatformNamespace", name, {}, opts);
    this.label = args.namespace ?? name;
    this.foundation = args.foundation;
    this.tier = args.tier;

    this.resource = new k8s.core.v1.Namespace(
      `${name}-namespace`,
      { metadata: { name: this.label, labels: podSecurityLabels() } },
      { parent: this },
    );
    const bare: NamespaceRef = { label: this.label, name: knownName(this.label, this.resource) };
    // What stands in the namespace goes with it, so a destroy is one deletion and not six.
    const inside = { parent: this, deletedWith: this.resource };
    const guards = [
      new k8s.networking.v1.NetworkPolicy(`${name}-default-deny`, planDefaultDeny(bare), inside),
      new k8s.networking.v1.NetworkPolicy(`${name}-allow-dns`, planDnsEgress(bare), inside),
      new k8s.core.v1.LimitRange(`${name}-limits`, planLimitRange(bare, args.quota), inside),
      new k8s.core.v1.ResourceQuota(`${name}-quota`, planQuota(bare, args.quota), inside),
      // Kubernetes makes the account itself, so it is patched and not created.
      new k8s.core.v1.ServiceAccountPatch(
        `${name}-default-account`,
        { metadata: { name: "default", namespace: bare.name }, automountServiceAccountToken: false },
        inside,
      ),
    ];
    this.name = knownName(this.label, this.resource, ...guards);
    this.registerOutputs({ name: this.name });
  }
}

/** Pod Security admission at its strictest, for pods and, as warnings, for what makes pods. */
function podSecurityLabels(): Record<string, string> {
  const level = { enforce: "restricted", audit: "restricted", warn: "restricted" };
  return Object.fromEntries(
    Object.entries(level).flatMap(([mode, value]) => [
      [`pod-security.kubernetes.io/${mode}`, value],
      [`pod-security.kubernetes.io/${mode}-version`, "latest"],
    ]),
  );
}

/** Sizes for containers that name none (those that operators make), and a ceiling at what the namespace has in all. */
export function planLimitRange(namespace: NamespaceRef, quota: NamespaceQuota): k8s.core.v1.LimitRangeArgs {
  return {
    metadata: { name: "limits", namespace: namespace.name },
    spec: {
      limits: [
        {
          type: "Container",
          defaultRequest: { cpu: "10m", memory: "32Mi", "ephemeral-storage": "16Mi" },
          default: { cpu: "250m", memory: "128Mi", "ephemeral-storage": "256Mi" },
          max: { cpu: quota.limits.cpu, memory: quota.limits.memory },
        },
      ],
    },
  };
}

export function planQuota(namespace: NamespaceRef, quota: NamespaceQuota): k8s.core.v1.ResourceQuotaArgs {
  const balancers = quota.loadBalancers ?? 0;
  return {
    metadata: { name: "quota", namespace: namespace.name },
    spec: {
      hard: {
        pods: String(quota.pods),
        "requests.cpu": quota.requests.cpu,
        "requests.memory": quota.requests.memory,
        "limits.cpu": quota.limits.cpu,
        "limits.memory": quota.limits.memory,
        "limits.ephemeral-storage": quota.localDisk ?? "8Gi",
        "requests.storage": quota.storage ?? "0",
        "services.loadbalancers": String(balancers),
        // A load balancer takes a node port for each of its ports; nothing else may have one.
        "services.nodeports": String(balancers * 4),
      },
    },
  };
}
