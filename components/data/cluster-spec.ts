import * as pulumi from "@pulumi/pulumi";
import { Bytes, PlatformNamespace, ResourceNeeds } from "../workload";
import { leasingRole } from "./leased-user";

/** The fields of a CloudNativePG `Cluster` that are set here (reference: API v1, `ClusterSpec`). */
export interface ClusterSpec {
  instances: number;
  imageName: string;
  imagePullPolicy: "IfNotPresent";
  primaryUpdateStrategy: "unsupervised";
  enableSuperuserAccess: false;
  enablePDB: boolean;
  priorityClassName: pulumi.Input<string>;
  storage: { size: Bytes; storageClass?: string };
  resources: ResourceNeeds;
  /** Seconds. */
  startDelay: number;
  stopDelay: number;
  smartShutdownTimeout: number;
  switchoverDelay: number;
  probes: Record<"startup" | "readiness" | "liveness", { periodSeconds: number; failureThreshold?: number }>;
  ephemeralVolumesSizeLimit: { shm: Bytes; temporaryData: Bytes };
  affinity: { podAntiAffinityType: "required"; topologyKey: string };
  topologySpreadConstraints: object[];
  inheritedMetadata: { labels: Record<string, string> };
  certificates?: {
    serverTLSSecret: pulumi.Input<string>;
    serverCASecret: pulumi.Input<string>;
    clientCASecret: pulumi.Input<string>;
    replicationTLSSecret: pulumi.Input<string>;
  };
  bootstrap: {
    initdb: {
      database: string;
      owner: string;
      secret: { name: pulumi.Input<string> };
      dataChecksums: boolean;
      postInitApplicationSQLRefs?: { secretRefs: { name: pulumi.Input<string>; key: string }[] };
    };
  };
  postgresql: { parameters: Record<string, string>; pg_hba: string[] };
}

/** What is given to the API server. */
export interface ClusterArgs {
  apiVersion: "postgresql.cnpg.io/v1";
  kind: "Cluster";
  metadata: {
    name: string;
    namespace: pulumi.Input<string>;
    annotations: Record<string, pulumi.Input<string>>;
  };
  spec: ClusterSpec;
}

/** What a cluster is planned from. */
export interface ClusterPlan {
  namespace: PlatformNamespace;
  instances: number;
  image: string;
  storage: Bytes;
  storageClass?: string;
  resources: ResourceNeeds;
  database: string;
  owner: string;
  /** Name of the Secret with the owner's password. */
  login: pulumi.Input<string>;
  /** Secrets with tls.crt, tls.key and ca.crt, where not the operator's own CA signs. @default the operator's own */
  certificates?: { server: pulumi.Input<string>; replication: pulumi.Input<string> };
  /** Secret and key with the SQL that makes the role for Vault. @default there is no such role */
  leasing?: { secret: pulumi.Input<string>; key: string };
  parameters?: Record<string, string>;
  priorityClass: pulumi.Input<string>;
  operatorReady: pulumi.Input<string>;
}

export function planCluster(name: string, plan: ClusterPlan): ClusterArgs {
  return {
    apiVersion: "postgresql.cnpg.io/v1",
    kind: "Cluster",
    metadata: {
      name,
      namespace: plan.namespace.name,
      annotations: { "groundwork/operator": plan.operatorReady, "pulumi.com/waitFor": "condition=Ready" },
    },
    spec: {
      instances: plan.instances,
      imageName: plan.image,
      imagePullPolicy: "IfNotPresent",
      primaryUpdateStrategy: "unsupervised",
      enableSuperuserAccess: false,
      // A budget for a single instance would forbid draining its node.
      enablePDB: plan.instances > 1,
      priorityClassName: plan.priorityClass,
      storage: { size: plan.storage, storageClass: plan.storageClass },
      resources: plan.resources,
      startDelay: 300,
      // Upstream waits three minutes for sessions to end, which pools never do; ours reconnect to the next primary.
      stopDelay: 60,
      smartShutdownTimeout: 1,
      switchoverDelay: 60,
      probes: {
        // Upstream looks every ten seconds; the first start is on the way of every `up`.
        startup: { periodSeconds: 1, failureThreshold: 300 },
        readiness: { periodSeconds: 2 },
        liveness: { periodSeconds: 10 },
      },
      ephemeralVolumesSizeLimit: { shm: "128Mi", temporaryData: "256Mi" },
      // The settings ask for a machine for each. Two copies on one machine would be lost together, and neither could leave it in
      // a drain: where a machine is gone, its copy waits for another one.
      affinity: { podAntiAffinityType: "required", topologyKey: "kubernetes.io/hostname" },
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: "kubernetes.io/hostname",
          whenUnsatisfiable: "ScheduleAnyway",
          labelSelector: { matchLabels: { "cnpg.io/cluster": name } },
        },
      ],
      inheritedMetadata: { labels: { "app.kubernetes.io/part-of": "groundwork" } },
      ...(plan.certificates && { certificates: planCertificates(plan.certificates) }),
      bootstrap: {
        initdb: {
          database: plan.database,
          owner: plan.owner,
          secret: { name: plan.login },
          dataChecksums: true,
          ...(plan.leasing && {
            postInitApplicationSQLRefs: { secretRefs: [{ name: plan.leasing.secret, key: plan.leasing.key }] },
          }),
        },
      },
      postgresql: {
        parameters: plan.parameters ?? {},
        pg_hba: planAccess(plan),
      },
    },
  };
}

/**
 * Who may connect, after upstream's own lines (local, replication by certificate): TLS with a password, and nothing
 * without TLS. With an issuer, a certificate that it signed as well: a password alone opens nothing. Vault is the one
 * that signs those certificates, so it can not need one to get in: after a long sleep it would be locked out by what it
 * is to renew. Its password is rotated by itself, and only its pods reach the port.
 */
function planAccess({ certificates, leasing }: ClusterPlan): string[] {
  const certified = certificates ? " clientcert=verify-ca" : "";
  return [
    ...(certificates && leasing ? [`hostssl all ${leasingRole} all scram-sha-256`] : []),
    `hostssl all all all scram-sha-256${certified}`,
    "hostnossl all all all reject",
  ];
}

/** Upstream asks for a Secret for each purpose; the server's holds its CA too, and so does the replication user's. */
function planCertificates({ server, replication }: NonNullable<ClusterPlan["certificates"]>) {
  return {
    serverTLSSecret: server,
    serverCASecret: server,
    clientCASecret: replication,
    replicationTLSSecret: replication,
  };
}
