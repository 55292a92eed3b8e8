import { z } from "zod";
import type { Bytes, ResourceNeeds } from "../workload/types";

/** What a Vault is given, by size. */
interface VaultSizes {
  primary: ResourceNeeds;
  bootstrap: ResourceNeeds;
}

const sizes: Record<"small" | "large", VaultSizes> = {
  small: {
    primary: {
      requests: { cpu: "100m", memory: "192Mi", "ephemeral-storage": "32Mi" },
      limits: { cpu: "1", memory: "512Mi", "ephemeral-storage": "128Mi" },
    },
    bootstrap: {
      requests: { cpu: "50m", memory: "128Mi", "ephemeral-storage": "32Mi" },
      limits: { cpu: "500m", memory: "384Mi", "ephemeral-storage": "128Mi" },
    },
  },
  large: {
    primary: {
      requests: { cpu: "500m", memory: "2Gi", "ephemeral-storage": "64Mi" },
      limits: { cpu: "1", memory: "4Gi", "ephemeral-storage": "512Mi" },
    },
    bootstrap: {
      requests: { cpu: "250m", memory: "512Mi", "ephemeral-storage": "64Mi" },
      limits: { cpu: "500m", memory: "1Gi", "ephemeral-storage": "256Mi" },
    },
  },
};

/** A size with a binary unit, as Kubernetes writes it. */
const size = (what: string, fallback: Bytes) =>
  z
    .string()
    .regex(/^[1-9]\d*(Mi|Gi)$/, { error: "must be a size such as 512Mi or 4Gi" })
    .transform((text) => text as Bytes)
    .prefault(fallback)
    .describe(`${what} Default: ${fallback}.`);

/** A time as Vault writes it. */
const lease = (what: string, fallback: string) =>
  z
    .string()
    .regex(/^[1-9]\d*(s|m|h)$/, { error: "must be a time such as 90s, 30m or 24h" })
    .default(fallback)
    .describe(`${what} Default: ${fallback}.`);

/** What the platform's Vaults are given. */
export const vaultSchema = z
  .strictObject({
    enabled: z.boolean().default(false).describe("Run Vault, and the bootstrap Vault that unseals it. Default: false."),
    replicas: z
      .union([z.literal(1), z.literal(3), z.literal(5)])
      .default(1)
      .describe("Servers of the primary Vault, on as many machines; an odd number. Default: 1."),
    size: z
      .enum(["small", "large"])
      .default("small")
      .describe(
        "CPU and memory: small for a machine on a desk (512Mi at most), large for production (2Gi, at most 4Gi, a server). Default: small.",
      ),
    storage: size("Volume of each server's data. It can grow later, never shrink.", "1Gi"),
    leases: z
      .strictObject({
        database: z
          .strictObject({
            ttl: lease("How long a leased login of the database is good for unless it is renewed.", "1h"),
            maxTtl: lease("After which a login is not renewed any more, and the next one is used.", "24h"),
          })
          .prefault({})
          .describe("Leased logins of the database."),
        certificate: lease("How long a client certificate of a pod is good for; it is renewed before.", "24h"),
      })
      .prefault({})
      .describe("How long what Vault hands to pods is good for."),
    snapshots: z
      .strictObject({
        schedule: z
          .string()
          .regex(/^(\S+ ){4}\S+$/, { error: "must be five fields of cron, in UTC, such as 17 */6 * * *" })
          .default("17 */6 * * *")
          .describe(
            "When a snapshot of Vault's data is kept, as five fields of cron in UTC. Default: every six hours.",
          ),
        keep: z.int().min(1).max(500).default(28).describe("Snapshots that are kept. Default: 28, a week's."),
      })
      .prefault({})
      .describe("Snapshots of the primary Vault."),
  })
  .transform((settings) => ({
    ...settings,
    resources: sizes[settings.size].primary,
    bootstrapResources: sizes[settings.size].bootstrap,
  }))
  .prefault({});

export type VaultSettings = z.infer<typeof vaultSchema>;

/** Sizes of a component without settings: those of a machine on a desk. */
export const defaultSizes: VaultSizes = sizes.small;
