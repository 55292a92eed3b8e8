import * as net from "node:net";
import { z } from "zod";
import {
  countSettings,
  firewallSchema,
  hardeningSchema,
  limitSettings,
  machineCidr,
  portSchema,
} from "../settings-parts";

/** Machines as privileged containers of a Docker engine: for computers without root, without Linux, or without systemd. */
export const dockerSchema = z.strictObject({
  driver: z.literal("docker"),
  ...countSettings,
  network: z.strictObject({ cidr: machineCidr }).prefault({}),
  ...limitSettings,
  publish: z
    .strictObject({
      enabled: z
        .boolean()
        .optional()
        .describe(
          "Reach the machines by ports of this computer instead of their own addresses, which Docker Desktop and other engines in a virtual machine need. Default: `up` finds out and keeps it with the stack.",
        ),
      address: z
        .string()
        .refine((address) => net.isIPv4(address), { error: "must be an IPv4 address of this computer" })
        .default("127.0.0.1")
        .describe("Address of this computer that has 80, 443 and 6443 then, and SSH. Default: 127.0.0.1."),
      sshPort: portSchema
        .max(65000)
        .default(2210)
        .describe("Port of the first server's SSH; the other machines have the ones after it. Default: 2210."),
    })
    .prefault({})
    .describe("How this computer reaches the machines."),
  firewall: firewallSchema,
  hardening: hardeningSchema(false),
});

export type DockerSettings = z.infer<typeof dockerSchema>;
