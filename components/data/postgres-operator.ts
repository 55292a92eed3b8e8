import * as pulumi from "@pulumi/pulumi";
import { Client, Foundation, NamespaceRef, PlatformNamespace } from "../workload";

export interface PostgresOperatorArgs {
  foundation: Foundation;
  /** @default "cnpg-system" */
  namespace?: string;
}

/** CloudNativePG from its released manifest: what makes and keeps `Postgres` clusters. */
export class PostgresOperator extends pulumi.ComponentResource {
  readonly namespace: PlatformNamespace;
  /** Known once the operator and its webhooks answer. */
  readonly ready: pulumi.Output<string>;
  /** The operator's pods, as the side that opens connections to instances. */
  readonly client: Client;

  constructor(name: string, args: PostgresOperatorArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:data:PostgresOperator", name, {}, opts);
    const namespace: NamespaceRef = (this.namespace = new PlatformNamespace(
      args.namespace ?? "cnpg-system",
      {
        foundation: args.foundation,
        tier: "platform",
        quota: { pods: 4, requests: { cpu: "500m", memory: "512Mi" }, limits: { cpu: "2", memory: "1Gi" } },
      },
      { parent: this },
    ));
    this.client = { name, namespace, pods: { "app.kubernetes.io/name": "cloudnative-pg" } };
    this.ready = this.namespace.name;
    this.registerOutputs({ ready: this.ready });
  }
}
