import { z } from "zod";

/** How nodes are taken through a new K3s release, a patched operating system, or out of the cluster. */
const upgradeSchema = z
  .strictObject({
    drain: z
      .boolean()
      .default(true)
      .describe("Move a node's pods away before K3s is replaced; false leaves them running meanwhile. Default: true."),
    drainTimeout: z
      .int()
      .min(10)
      .max(3600)
      .default(300)
      .describe("Seconds until a node whose pods may not be moved (PodDisruptionBudget) ends the run. Default: 300."),
    healthTimeout: z
      .int()
      .min(30)
      .max(3600)
      .default(300)
      .describe(
        "Seconds that a node may take until it is healthy again, before its old K3s is put back. Default: 300.",
      ),
    batch: z.int().min(1).max(50).default(1).describe("Agents that are upgraded at once. Default: 1."),
    backup: z
      .enum(["required", "wanted", "none"])
      .default("wanted")
      .describe(
        "Backup of the data before another release or day of packages: required refuses without one, wanted takes one where " +
          "backup.store is set, none takes none. Default: wanted.",
      ),
    backupCommand: z
      .string()
      .min(1)
      .optional()
      .describe(
        "Command on a server that must succeed before an upgrade, besides the snapshot of etcd. Default: none.",
      ),
    osPatches: z
      .string()
      .regex(/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2})?$/, { error: 'must be a day in quotes, such as "2026-11-21"' })
      .optional()
      .describe(
        "Day of the operating system's packages: a machine that was patched before it gets them. Default: never.",
      ),
    reboot: z
      .enum(["if-needed", "never"])
      .default("if-needed")
      .describe("Restart of a machine whose patches ask for it. Default: if-needed."),
  })
  .prefault({});

/** The cluster's settings; what is not here is decided by the hardening and by K3s's defaults. */
export const clusterSchema = z
  .strictObject({
    version: z
      .string()
      .regex(/^(1\.\d+|v1\.\d+\.\d+\+k3s\d+)$/, {
        error: 'must be a Kubernetes minor version or a K3s release in quotes, such as "1.36" or "v1.36.3+k3s1"',
      })
      .optional()
      .describe(
        "K3s release of the cluster, or the Kubernetes minor version of which the newest in the catalogue is taken. " +
          "Another one than runs upgrades the cluster node by node. Default: the catalogue's first.",
      ),
    upgrade: upgradeSchema.describe("How nodes are upgraded, patched and taken out."),
    snapshots: z
      .strictObject({
        schedule: z
          .string()
          .regex(/^(\S+ ){4}\S+$/)
          .default("0 */12 * * *")
          .describe("When etcd is snapshotted, as a cron expression of five fields. Default: 0 */12 * * *."),
        retention: z.int().min(1).max(365).default(5).describe("Snapshots to keep on each server. Default: 5."),
      })
      .prefault({}),
    podMaxPids: z
      .int()
      .min(64)
      .max(65536)
      .default(2048)
      .describe("Most processes in one pod (CIS 4.2.13). Default: 2048."),
    eventRateLimit: z
      .strictObject({
        qps: z.int().min(1).default(500).describe("Events a second that the API server takes. Default: 500."),
        burst: z.int().min(1).default(5000).describe("Events that it takes at once. Default: 5000."),
      })
      .prefault({})
      .describe("Bound of the EventRateLimit admission plugin (CIS 1.2.9)."),
  })
  .prefault({});

export type ClusterSettings = z.infer<typeof clusterSchema>;
