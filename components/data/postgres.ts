import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import * as random from "@pulumi/random";
import { Bytes, Client, connect, Endpoint, hostOf, PlatformNamespace, ResourceNeeds, Transform } from "../workload";
import { ClusterArgs, planCluster } from "./cluster-spec";
import { planInstancePolicies, statusPort } from "./instance-policies";
import { PostgresOperator } from "./postgres-operator";
import { knownName } from "../workload";

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
  /** PostgreSQL parameters, as in postgresql.conf. @default PostgreSQL's and CloudNativePG's own */
  parameters?: Record<string, string>;
  /** Refuse to delete the data until the stack says `protect: false`. @default true */
  protect?: boolean;
  transform?: { cluster?: Transform<ClusterArgs> };
}

/** Keys of the login, each a file where it is mounted. */
const loginKeys = ["host", "port", "dbname", "username", "password"];

const port = 5432;

/** A PostgreSQL cluster that CloudNativePG keeps, with one database in it. */
export class Postgres extends pulumi.ComponentResource {
  /**
   * The primary, wherever it runs: TLS only, login by generated password. Known once all instances are ready. Mounted as
   * files host, port, dbname, username and password, and the authority as ca.crt, for `sslmode=verify-full`.
   */
  readonly endpoint: Endpoint;

  constructor(name: string, args: PostgresArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:data:Postgres", name, {}, opts);
    const { namespace, operator } = args;
    const database = args.database ?? "app";
    const owner = args.owner ?? "app";
    const service = `${name}-rw`;
    const inNamespace = { parent: this, deletedWith: namespace.resource };

    const password = new random.RandomPassword(`${name}-password`, { length: 32, special: false }, { parent: this });
    const login = pulumi.secret({
      host: hostOf({ service, namespace }),
      port: String(port),
      dbname: database,
      username: owner,
      password: password.result,
    });
    const secret = new k8s.core.v1.Secret(
      `${name}-login`,
      {
        metadata: {
          name: `${name}-login`,
          namespace: namespace.name,
          // The operator follows changes of what carries this label.
          labels: { "cnpg.io/reload": "true" },
        },
        type: "kubernetes.io/basic-auth",
        stringData: login,
      },
      inNamespace,
    );

    const loginName = knownName(`${name}-login`, secret);
    const instances: Client = { name, namespace, pods: { "cnpg.io/cluster": name } };
    const policies = [
      ...planInstancePolicies(instances).map(
        (policy) => new k8s.networking.v1.NetworkPolicy(policy.metadata.name, policy, inNamespace),
      ),
      ...connect(instances, namespace.foundation.kubeApi, inNamespace).policies,
      ...connect(operator.client, statusOf(instances), inNamespace).policies,
    ];
    const cluster = new k8s.apiextensions.CustomResource(
      name,
      (args.transform?.cluster ?? ((same) => same))(
        planCluster(name, {
          ...args,
          database,
          owner,
          instances: args.instances ?? 1,
          login: loginName,
          image: namespace.foundation.artifacts.image("postgresql").ref,
          priorityClass: namespace.foundation.priorityClass.data,
          operatorReady: operator.ready,
        }),
      ),
      // No value of a policy goes into the cluster, yet its first instance fails where they are missing.
      { parent: this, dependsOn: policies, protect: args.protect ?? true, customTimeouts: { create: "10m" } },
    );
    this.endpoint = {
      name,
      namespace,
      service,
      port,
      backend: { pods: { "cnpg.io/cluster": name }, port },
      credential: { secret: loginName, keys: loginKeys, values: login },
      authority: { from: { secret: knownName(`${name}-ca`, cluster) }, key: "ca.crt" },
      ready: cluster.metadata.uid,
    };
    this.registerOutputs({});
  }
}

/** Where the operator asks an instance how it is and tells it what to do. */
function statusOf(instances: Client): Endpoint {
  return {
    name: `${instances.name}-status`,
    namespace: instances.namespace,
    service: instances.name,
    port: statusPort,
    backend: { pods: instances.pods, port: statusPort },
    ready: "by the operator itself",
  };
}
