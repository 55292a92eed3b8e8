import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import * as random from "@pulumi/random";
import { issueCertificate, type Issuer } from "../pki";
import {
  Bytes,
  Client,
  connect,
  CredentialRef,
  Endpoint,
  hostOf,
  knownName,
  PlatformNamespace,
  ResourceNeeds,
  Transform,
} from "../workload";
import { ClusterArgs, planCluster } from "./cluster-spec";
import { planInstancePolicies, statusPort } from "./instance-policies";
import { leasingRole, makeLeasingRole } from "./leased-user";
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
  /**
   * Who signs the server's certificate and whose clients it takes: then a client needs a certificate as well as a password.
   * `clients` signs the certificate that replicas log in with, common name `streaming_replica`.
   * @default CloudNativePG's own CA, and no certificates for clients; `clients` is `issuer`
   */
  certificates?: { issuer: Issuer; clients?: Issuer };
  /**
   * A role that may make users with the owner's rights, for Vault's database engine (see `leasedUser`). A database that
   * exists already needs the statements of `makeLeasingRole` once, by a superuser. @default false
   */
  vaultRole?: boolean;
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
  /** Login of the role for Vault, keys username and password; undefined without `vaultRole`. */
  readonly vaultCredential?: CredentialRef;

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
    const certificates = args.certificates && certify(name, args.certificates, namespace, inNamespace);
    const leasing = args.vaultRole ? this.makeLeasingLogin(name, owner, inNamespace, namespace) : undefined;
    this.vaultCredential = leasing;
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
          certificates,
          leasing: leasing && { secret: leasing.secret, key: leasing.sql },
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
      authority: certificates
        ? { from: { secret: certificates.server }, key: "ca.crt", pem: args.certificates?.issuer.ca }
        : { from: { secret: knownName(`${name}-ca`, cluster) }, key: "ca.crt" },
      ready: cluster.metadata.uid,
    };
    this.registerOutputs({});
  }

  /** The login of the role for Vault, and the SQL that makes the role. */
  private makeLeasingLogin(
    name: string,
    owner: string,
    opts: pulumi.CustomResourceOptions,
    namespace: PlatformNamespace,
  ) {
    const { result } = new random.RandomPassword(
      `${name}-vault-password`,
      { length: 32, special: false },
      { parent: this },
    );
    const values = pulumi.secret({ username: leasingRole, password: result });
    const sql = pulumi.secret(result.apply((password) => makeLeasingRole(owner, password)));
    const logical = `${name}-vault-login`;
    const key = "role.sql";
    const secret = new k8s.core.v1.Secret(
      logical,
      {
        metadata: { name: logical, namespace: namespace.name },
        stringData: { username: leasingRole, password: result, [key]: sql },
      },
      opts,
    );
    return { secret: knownName(logical, secret), keys: ["username", "password"], values, sql: key };
  }
}

/** The server's certificate, and the one that replicas log in with. The label has the operator follow renewals. */
function certify(
  name: string,
  { issuer, clients }: NonNullable<PostgresArgs["certificates"]>,
  namespace: PlatformNamespace,
  opts: pulumi.CustomResourceOptions,
): { server: pulumi.Output<string>; replication: pulumi.Output<string> } {
  const labels = { "cnpg.io/reload": "true" };
  const hosts = ["rw", "r", "ro"].map((role) => hostOf({ service: `${name}-${role}`, namespace }));
  const dnsNames = hosts.flatMap((host) => [host, `${host}.cluster.local`]);
  const server = issueCertificate(
    `${name}-server`,
    { issuer, namespace, dnsNames, usages: ["server auth"], labels },
    opts,
  );
  const replication = issueCertificate(
    `${name}-replication`,
    {
      issuer: clients ?? issuer,
      namespace,
      dnsNames: [],
      commonName: "streaming_replica",
      usages: ["client auth"],
      labels,
    },
    opts,
  );
  return { server: server.secret, replication: replication.secret };
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
