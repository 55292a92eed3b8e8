import * as pulumi from "@pulumi/pulumi";
import { Bytes, PlatformNamespace, ResourceNeeds } from "../workload";

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
  topologySpreadConstraints: object[];
  inheritedMetadata: { labels: Record<string, string> };
  bootstrap: {
    initdb: { database: string; owner: string; secret: { name: pulumi.Input<string> }; dataChecksums: boolean };
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
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: "kubernetes.io/hostname",
          whenUnsatisfiable: "ScheduleAnyway",
          labelSelector: { matchLabels: { "cnpg.io/cluster": name } },
        },
      ],
      inheritedMetadata: { labels: { "app.kubernetes.io/part-of": "groundwork" } },
      bootstrap: {
        initdb: { database: plan.database, owner: plan.owner, secret: { name: plan.login }, dataChecksums: true },
      },
      postgresql: {
        parameters: plan.parameters ?? {},
        // After upstream's own lines (local, replication by certificate): TLS with a password, and nothing without TLS.
        pg_hba: ["hostssl all all all scram-sha-256", "hostnossl all all all reject"],
      },
    },
  };
}
