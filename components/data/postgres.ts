import * as pulumi from "@pulumi/pulumi";
import { Bytes, Endpoint, PlatformNamespace, ResourceNeeds, Transform } from "../workload";
import { PostgresOperator } from "./postgres-operator";

export interface PostgresArgs {
  operator: PostgresOperator;
  namespace: PlatformNamespace;
  /** One primary, the rest streaming replicas. @default 1 */
  instances?: number;
  /** Volume of each instance. */
  storage: Bytes;
  /** @default the cluster's default class */
  storageClass?: string;
  /** Of each instance. */
  resources: ResourceNeeds;
  /** Name of the database. @default "app" */
  database?: string;
  /** Role that owns the database; its password is generated. @default "app" */
  owner?: string;
  /** PostgreSQL parameters, as in postgresql.conf. @default {} */
  parameters?: Record<string, string>;
  transform?: { cluster?: Transform<object> };
}

/** A PostgreSQL cluster that CloudNativePG keeps, with one database in it. */
export class Postgres extends pulumi.ComponentResource {
  /** The primary, wherever it runs: TLS only, login by generated password. Mounts as host, port, dbname, username, password. */
  readonly endpoint: Endpoint;

  constructor(name: string, args: PostgresArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:data:Postgres", name, {}, opts);
    const service = `${name}-rw`;
    this.endpoint = {
      name,
      namespace: args.namespace,
      service,
      port: 5432,
      backend: { pods: { "cnpg.io/cluster": name }, port: 5432 },
      ready: args.operator.ready,
    };
    this.registerOutputs({});
  }
}
