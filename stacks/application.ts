import * as pulumi from "@pulumi/pulumi";
import { Api, type ApiVault } from "../components/apps";
import { serves } from "../components/backup";
import { leasedUser, Postgres, PostgresOperator, Valkey } from "../components/data";
import { VaultConfiguration } from "../components/secrets";
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
import { bytes, cores } from "./settings/quantity";
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
    const operator = new PostgresOperator(
      "cnpg",
      // Who promotes a replica must not be lost together with the primary.
      { foundation, serves: [namespace], replicas: settings.database.instances > 1 ? 2 : 1 },
      here,
    );
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
        // A standby has everything but what serves.
        replicas: serves(settings.standby) ? settings.api.replicas : 0,
        ...(cache && { cache: cache.endpoint }),
        ...(trust && { clients: trust.clients }),
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

/** What one pod of each kind may use at most, in thousandths of a core and MiB, with what stands beside it. */
const podLimits = {
  api: ({ vault }: Settings) => ({ cpu: vault.enabled ? 1_250 : 1_000, memory: vault.enabled ? 352 : 192 }),
  cache: ({ cache }: Settings) => ({ cpu: 1_200, memory: mebibytes(cache.memory) + 32 }),
  database: ({ database }: Settings) => ({
    cpu: 1000 * cores(database.resources.limits.cpu),
    memory: mebibytes(database.memory),
  }),
};

/**
 * Room for the namespace: each kind's pods with one more that takes the place of another or, for a database, sets up its
 * volume. More than that never starts at once.
 */
function planQuota(settings: Settings): NamespaceQuota {
  const { database, api, cache } = settings;
  const kinds = [
    { count: database.instances + 1, disk: 1024, asks: 1000 * cores(database.cpu), ...podLimits.database(settings) },
    { count: api.replicas + 1, disk: 192, asks: 60, ...podLimits.api(settings) },
    // It is replaced by going first.
    { count: cache.enabled ? 1 : 0, disk: 48, asks: 25, ...podLimits.cache(settings) },
  ];
  const sum = (what: "cpu" | "memory" | "disk" | "asks") =>
    kinds.reduce((total, kind) => total + kind.count * kind[what], 0);
  return {
    // A pod that ends counts until it is gone.
    pods: 2 * kinds.reduce((total, { count }) => total + count, 0),
    requests: { cpu: `${sum("asks")}m`, memory: `${sum("memory")}Mi` },
    limits: { cpu: `${sum("cpu")}m`, memory: `${sum("memory")}Mi` },
    storage: `${(database.instances + 1) * mebibytes(database.storage)}Mi`,
    localDisk: `${sum("disk")}Mi`,
  };
}

const mebibytes = (size: Bytes): number => bytes(size) / 2 ** 20;
