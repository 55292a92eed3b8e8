import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { Artifacts } from "../../artifacts/types";
import { Endpoint } from "./endpoint";
import { Tier } from "./types";
import { knownName } from "./known-name";

/** Installs the CustomResourceDefinitions of a manifest file. The result is known once they are Established. */
export type InstallCrds = (
  name: string,
  manifest: { path: string; sha256: string },
  opts: pulumi.ComponentResourceOptions,
) => pulumi.Input<string>;

export interface FoundationArgs {
  artifacts: Artifacts;
  /** Addresses of the machines that run the API server. */
  serverAddresses: pulumi.Input<string>[];
  /** How custom resource definitions get into the cluster: the cluster component's bundle. */
  installCrds: InstallCrds;
  /** Port of the API server on its machines. @default 6443 */
  apiPort?: number;
  /** The cluster's pod network. @default "10.42.0.0/16", K3s' default */
  podNetwork?: string;
}

/** Priority of each tier; all below the system classes (2,000,000,000). */
const priorities: Record<Tier, number> = { platform: 1_000_000, data: 500_000, application: 100_000 };

/** How many nodes' tunnel addresses may call webhooks: see `apiServerSources`. */
const tunnelAddresses = 16;

/**
 * The addresses that the API server's own calls (webhooks) come from: its machine's, or, on the way to a pod of another
 * node, the address of its machine's overlay interface, which is the first of that node's /24 of the pod network.
 */
export function apiServerSources(servers: pulumi.Input<string>[], podNetwork: string): pulumi.Input<string>[] {
  const [a, b] = podNetwork.split(".");
  const tunnels = Array.from({ length: tunnelAddresses }, (_, node) => `${a}.${b}.${node}.0/31`);
  return [...servers.map((server) => pulumi.interpolate`${server}/32`), ...tunnels];
}

/** What every component of the platform stands on: artefacts, priority classes, and the way to and from the API server. */
export class Foundation extends pulumi.ComponentResource {
  readonly artifacts: Artifacts;
  readonly installCrds: InstallCrds;
  /** The API server as pods reach it. */
  readonly kubeApi: Endpoint;
  /** CIDRs that the API server calls webhooks from. */
  readonly apiServerSources: pulumi.Input<string>[];
  readonly priorityClass: Readonly<Record<Tier, pulumi.Output<string>>>;

  constructor(name: string, args: FoundationArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:workload:Foundation", name, {}, opts);
    this.artifacts = args.artifacts;
    this.installCrds = args.installCrds;
    this.kubeApi = kubeApi(args.serverAddresses, args.apiPort ?? 6443);
    this.apiServerSources = apiServerSources(args.serverAddresses, args.podNetwork ?? "10.42.0.0/16");
    const priorityClass = (tier: Tier) => {
      const metadata = { name: `groundwork-${tier}` };
      const made = new k8s.scheduling.v1.PriorityClass(
        `${name}-priority-${tier}`,
        { metadata, value: priorities[tier], description: `Groundwork: ${tier} workloads` },
        { parent: this },
      );
      return knownName(metadata.name, made);
    };
    this.priorityClass = {
      platform: priorityClass("platform"),
      data: priorityClass("data"),
      application: priorityClass("application"),
    };
    this.registerOutputs({});
  }
}

/** The API server: clients name `kubernetes.default`, and reach a server machine's own address and port. */
function kubeApi(servers: pulumi.Input<string>[], port: number): Endpoint {
  return {
    name: "kube-api",
    namespace: { label: "default", name: "default" },
    service: "kubernetes",
    port: 443,
    backend: { addresses: servers.map((server) => pulumi.interpolate`${server}/32`), port },
    ready: "always",
  };
}
