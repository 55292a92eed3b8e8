import { z } from "zod";

/** The cluster's settings; what is not here is decided by the hardening and by K3s's defaults. */
export const clusterSchema = z
  .strictObject({
    version: z
      .string()
      .regex(/^1\.\d+$/, { error: 'must be a Kubernetes minor version in quotes, such as "1.36"' })
      .optional()
      .describe(
        "Kubernetes minor version that the checkout must have, or it refuses to run. Default: the catalogue's.",
      ),
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
