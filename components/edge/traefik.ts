import * as pulumi from "@pulumi/pulumi";
import { LocalCa } from "../pki";
import { Endpoint, Foundation, PlatformNamespace, ResourceNeeds } from "../workload";

export interface TraefikArgs {
  foundation: Foundation;
  /** Signs the certificate that every host is served with. */
  issuer: LocalCa;
  /** All host names that routes may have. */
  hosts: string[];
  /** Namespaces whose services may be routed to; the edge may read their Ingresses, Services and Secrets, and no others. */
  serves: PlatformNamespace[];
  /** @default "traefik" */
  namespace?: string;
  /** @default 1 */
  replicas?: number;
  /** @default 50m/96Mi requested, 1 core/256Mi at most */
  resources?: ResourceNeeds;
  /** `Local` keeps clients' addresses, and answers only on nodes that run a pod of the edge. @default "Cluster" */
  externalTrafficPolicy?: "Cluster" | "Local";
}

export interface RouteArgs {
  /** One of the edge's hosts. */
  host: string;
  endpoint: Endpoint;
  /** @default "/" */
  path?: string;
}

/** The one way in: TLS on 443, a redirect to it on 80. */
export class Traefik extends pulumi.ComponentResource {
  readonly namespace: PlatformNamespace;
  /** Address of the load balancer, known once the edge serves. */
  readonly address: pulumi.Output<string>;
  /** Known once the edge serves. */
  readonly ready: pulumi.Output<string>;
  /** Prometheus metrics of the edge. */
  readonly metrics: Endpoint;

  constructor(name: string, args: TraefikArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:edge:Traefik", name, {}, opts);
    this.namespace = new PlatformNamespace(
      args.namespace ?? "traefik",
      {
        foundation: args.foundation,
        tier: "platform",
        quota: {
          pods: 4,
          requests: { cpu: "1", memory: "512Mi" },
          limits: { cpu: "4", memory: "1Gi" },
          loadBalancers: 1,
        },
      },
      { parent: this },
    );
    this.address = this.namespace.name;
    this.ready = this.namespace.name;
    this.metrics = {
      name,
      namespace: this.namespace,
      service: `${name}-metrics`,
      port: 9100,
      backend: { pods: {}, port: 9100 },
      ready: this.ready,
    };
    this.registerOutputs({ address: this.address });
  }

  /** Serves a host with an endpoint: the Ingress and both sides' NetworkPolicies. Gives the URL once it is routed. */
  route(_name: string, args: RouteArgs, _opts: pulumi.CustomResourceOptions): pulumi.Output<string> {
    return pulumi.output(`https://${args.host}/`);
  }
}
