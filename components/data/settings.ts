import { z } from "zod";
import type { Bytes, ResourceNeeds } from "../workload/types";

/** A size with a binary unit, as Kubernetes writes it. */
const size = (what: string, fallback: Bytes) =>
  z
    .string()
    .regex(/^[1-9]\d*(Mi|Gi)$/, { error: "must be a size such as 512Mi or 4Gi" })
    .transform((text) => text as Bytes)
    .prefault(fallback)
    .describe(`${what} Default: ${fallback}.`);

/** What the platform's own PostgreSQL is given. */
export const databaseSchema = z
  .strictObject({
    instances: z
      .int()
      .min(1)
      .max(9)
      .default(1)
      .describe("PostgreSQL instances: one primary, the rest streaming replicas on other machines. Default: 1."),
    storage: size("Volume of each instance. It can grow later, never shrink.", "1Gi"),
    memory: size("Memory of each instance, requested and at most.", "256Mi"),
    cpu: z
      .string()
      .regex(/^([1-9]\d*m|[1-9]\d*)$/, { error: "must be cores such as 2, or thousandths of one such as 250m" })
      .default("100m")
      .describe("CPU that each instance is sure of; it may use more. Default: 100m."),
    parameters: z
      .record(z.string().regex(/^[a-z_.]+$/, { error: "must be the name of a PostgreSQL parameter" }), z.string())
      .default({})
      .describe("PostgreSQL parameters as in postgresql.conf, all values as text. Default: none."),
  })
  .transform((settings) => ({ ...settings, resources: databaseResources(settings) }))
  .prefault({});

export type DatabaseSettings = z.infer<typeof databaseSchema>;

/** The needs of one instance. */
export function databaseResources({ cpu, memory }: { cpu: string; memory: Bytes }): ResourceNeeds {
  const asked = cpu as ResourceNeeds["requests"]["cpu"];
  return {
    requests: { cpu: asked, memory, "ephemeral-storage": "64Mi" },
    // Never below what is asked for, and room for a vacuum or an index build.
    limits: { cpu: Number.parseFloat(cpu) > 2 && !cpu.endsWith("m") ? asked : "2", memory, "ephemeral-storage": "1Gi" },
  };
}

/** What the platform's own cache is given. */
export const cacheSchema = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .describe("Keep a cache (Valkey) in front of the API's database. Default: false."),
    memory: size("Memory of the cache, requested and at most; 60 % of it are for values.", "64Mi"),
  })
  .prefault({});

export type CacheSettings = z.infer<typeof cacheSchema>;
