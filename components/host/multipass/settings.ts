import { z } from "zod";
import { countSettings, firewallSchema, hardeningSchema } from "../settings-parts";

const sizeSchema = z.string().regex(/^[1-9][0-9]*(Mi|Gi)$/, { error: "must be a size such as 512Mi or 4Gi" });

/** Virtual machines of Multipass, Ubuntu's own, on Linux, macOS and Windows. Their addresses are Multipass's to give. */
export const multipassSchema = z.strictObject({
  driver: z.literal("multipass"),
  ...countSettings,
  image: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.:-]*$/)
    .default("24.04")
    .describe('Image of Multipass that they are made from, as `multipass find` lists it. Default: "24.04".'),
  memory: sizeSchema.default("4Gi").describe("Memory of each machine. Default: 4Gi."),
  cpus: z.int().min(1).max(256).default(2).describe("CPUs of each machine. Default: 2."),
  disk: sizeSchema.default("20Gi").describe("Disk of each machine. Default: 20Gi."),
  firewall: firewallSchema,
  hardening: hardeningSchema(false),
});

export type MultipassSettings = z.infer<typeof multipassSchema>;
