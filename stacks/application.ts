import * as pulumi from "@pulumi/pulumi";
import { Api, type ApiVault } from "../components/apps";
import { leasedUser, Postgres, PostgresOperator, Valkey } from "../components/data";
import { Vault, VaultConfiguration } from "../components/secrets";
import {
  type Bytes,
  Endpoint,
  Foundation,
  hostOf,
  mountRoot,
  NamespaceQuota,
  PlatformNamespace,
} from "../components/workload";
import type { ComponentReport } from "./report";
import type { Settings } from "./settings";
import type { Secrets, Trust } from "./trust";

export interface ApplicationArgs {
  foundation: Foundation;
  settings: Settings;
  /** Undefined: the database signs for itself, and logins are generated passwords. */
  trust?: Trust;
}

/** The role in Vault's database engine and in its Kubernetes auth that the API is. */
const apiRole = "api";

/** The API with its database and its cache, in a namespace of its own. */
export class Application extends pulumi.ComponentResource {
  readonly namespace: PlatformNamespace;
  /** The API, as the edge leads to it. */
  readonly api: Endpoint;

  constructor(name: string, args: ApplicationArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:stacks:Application", name, {}, opts);
    const { foundation, settings, trust } = args;
    const here = { parent: this };

    this.namespace = new PlatformNamespace(
      "app",
      { foundation, tier: "application", quota: planQuota(settings) },
      here,
    );
    const namespace = this.namespace;
    const operator = new PostgresOperator("cnpg", { foundation, serves: [namespace] }, here);
    const database = new Postgres(
      "app-db",
      {
        operator,
        namespace,
        instances: settings.database.instances,
        storage: settings.database.storage,
        resources: settings.database.resources,
        parameters: settings.database.parameters,
        protect: settings.protect,
        ...(trust && { certificates: { issuer: trust.servers, clients: trust.clients } }),
        vaultRole: trust?.secrets !== undefined,
      },
      here,
    );
    const cache =
      trust && settings.cache.enabled
        ? new Valkey(
            "cache",
            { namespace, issuer: trust.servers, clients: trust.clients, memory: settings.cache.memory },
            here,
          )
        : undefined;
    const api = new Api(
      "api",
      {
        namespace,
        database: database.endpoint,
        replicas: settings.api.replicas,
        ...(cache && { cache: cache.endpoint }),
        ...(trust?.secrets && { vault: this.leaseLogins(trust.secrets, database, settings) }),
      },
      here,
    );
    this.api = api.endpoint;
    this.registerOutputs({});
  }

  /** What the API may have of Vault: users of the database for an hour, and a certificate to show as a client. */
  private leaseLogins({ vault, injector }: Secrets, database: Postgres, settings: Settings): ApiVault {
    const { endpoint, vaultCredential } = database;
    const login: Endpoint = { ...endpoint, ...(vaultCredential && { credential: vaultCredential }) };
    const { leases } = settings.vault;
    const access = new VaultConfiguration(
      "api-access",
      {
        vault,
        uses: [login],
        document: {
          policies: {
            [apiRole]: [
              `path "database/creds/${apiRole}" { capabilities = ["read"] }`,
              `path "pki/issue/client" { capabilities = ["create", "update"] }`,
              "",
            ].join("\n"),
          },
          kubernetesRoles: {
            [apiRole]: { serviceAccounts: ["api"], namespaces: [this.namespace.label], policies: [apiRole] },
          },
          database: {
            connections: {
              [endpoint.name]: {
                plugin: "postgresql",
                url:
                  `postgresql://{{username}}:{{password}}@${hostOf(endpoint)}:${endpoint.port}/app` +
                  "?sslmode=verify-full",
                allowedRoles: [apiRole],
                credential: `${mountRoot}/${endpoint.name}`,
                ca: `${mountRoot}/${endpoint.name}-ca/${endpoint.authority?.key ?? "ca.crt"}`,
                rotateRoot: true,
              },
            },
            roles: {
              [apiRole]: {
                connection: endpoint.name,
                ...leasedUser("app"),
                defaultTtl: leases.database.ttl,
                maxTtl: leases.database.maxTtl,
              },
            },
          },
        },
      },
      { parent: this },
    );
    return {
      injector,
      endpoint: vault.endpoint,
      role: apiRole,
      access: access.ready,
      databaseRole: apiRole,
      certificateTtl: leases.certificate,
    };
  }

  /** How each of its components is probed, but for the API, which is asked through the edge. */
  static report({ cache }: Settings): ComponentReport[] {
    return [
      {
        name: "postgres operator",
        artifacts: ["cloudnative-pg"],
        probe: { kind: "workload", resource: "deployments", namespace: "cnpg-system", name: "cnpg-controller-manager" },
      },
      {
        name: "postgres app-db",
        artifacts: ["postgresql"],
        probe: {
          kind: "condition",
          path: "/apis/postgresql.cnpg.io/v1/namespaces/app/clusters/app-db",
          type: "Ready",
        },
      },
      ...(cache.enabled
        ? [
            {
              name: "cache",
              artifacts: ["valkey"],
              probe: { kind: "workload", resource: "deployments", namespace: "app", name: "cache" } as const,
            },
          ]
        : []),
    ];
  }
}

/**
 * Room for the namespace: all pods, as many again while they are replaced, and the jobs that set up a database instance. An
 * API pod may have Vault's agent beside it, a cache pod what reloads its certificate.
 */
function planQuota({ database, api, cache, vault }: Settings): NamespaceQuota {
  const databasePods = 2 * database.instances + 1;
  const apiPods = 2 * api.replicas + 1;
  const cachePods = cache.enabled ? 2 : 0;
  const pods = databasePods + apiPods + cachePods;
  const memory =
    databasePods * mebibytes(database.memory) +
    apiPods * (192 + (vault.enabled ? 160 : 0)) +
    cachePods * (mebibytes(cache.memory) + 32);
  return {
    pods,
    requests: { cpu: `${pods}`, memory: `${memory}Mi` },
    limits: { cpu: `${2 * pods}`, memory: `${memory}Mi` },
    storage: `${(database.instances + 1) * mebibytes(database.storage)}Mi`,
    localDisk: `${databasePods * 1024 + (apiPods + cachePods) * 128}Mi`,
  };
}

const mebibytes = (size: Bytes): number => Number.parseInt(size, 10) * (size.endsWith("Gi") ? 1024 : 1);
