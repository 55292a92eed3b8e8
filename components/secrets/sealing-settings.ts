import { z } from "zod";

/** Sealed Secrets: secrets in git that only the cluster can open. */
export const sealedSecretsSchema = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .describe("Run the controller, and make Secrets of the files in sealed/<stack>. Default: false."),
    renewalDays: z
      .int()
      .min(1)
      .max(365)
      .default(30)
      .describe("Days after which a new sealing key is made; the old ones stay for what they sealed. Default: 30."),
    renewBefore: z.iso
      .datetime({ error: "must be a time such as 2027-01-31T12:00:00Z" })
      .optional()
      .describe("A sealing key older than this is followed by a new one at the next up. Default: none."),
  })
  .prefault({});

export type SealedSecretsSettings = z.infer<typeof sealedSecretsSchema>;

/** External Secrets: Secrets that follow values in Vault. */
export const externalSecretsSchema = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .describe("Run the controllers that make Secrets of values in Vault; needs Vault. Default: false."),
    refresh: z
      .string()
      .regex(/^[1-9]\d*(s|m|h)$/, { error: "must be a time such as 30s, 5m or 1h" })
      .default("5m")
      .describe("How often a value is read again, unless its ExternalSecret says otherwise. Default: 5m."),
  })
  .prefault({});

export type ExternalSecretsSettings = z.infer<typeof externalSecretsSchema>;
