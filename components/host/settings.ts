import * as net from "node:net";
import { z } from "zod";
import { dockerSchema } from "./docker/settings";
import { hcloudSchema } from "./hcloud/settings";
import { multipassSchema } from "./multipass/settings";
import {
  countSettings,
  firewallSchema,
  hardeningSchema,
  limitSettings,
  nameSchema,
  networkSettings,
  portSchema,
} from "./settings-parts";

export { cidrSchema, minutes } from "./settings-parts";
export type { FirewallSettings, HardeningSettings } from "./settings-parts";

/** Machines of the embedded kind: systemd-nspawn on this computer, on a bridge of their own. */
const nspawnSchema = z.strictObject({
  driver: z.literal("nspawn"),
  ...countSettings,
  ...networkSettings,
  ...limitSettings,
  firewall: firewallSchema,
  hardening: hardeningSchema(false),
});

/** Machines that exist already and are reached over SSH as root. */
const sshSchema = z.strictObject({
  driver: z.literal("ssh"),
  hosts: z
    .array(
      z.strictObject({
        name: nameSchema,
        role: z.enum(["server", "agent"]).default("server").describe("What the machine does in the cluster."),
        address: z
          .string()
          .refine((address) => net.isIPv4(address), { error: "must be an IPv4 address" })
          .describe("Address at which this computer and the other machines reach it."),
        port: portSchema.default(22).describe("Port of its SSH server. Default: 22."),
        user: z.literal("root").default("root").describe("Only root can install a cluster."),
        hostKey: z
          .string()
          .regex(/^(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|ssh-rsa) [A-Za-z0-9+/]+=*/)
          .optional()
          .describe("Its host public key (/etc/ssh/ssh_host_ed25519_key.pub). Default: the one seen first is pinned."),
      }),
    )
    .min(1)
    .refine((hosts) => new Set(hosts.map((host) => host.name)).size === hosts.length, {
      error: "two machines have the same name",
    })
    .refine((hosts) => new Set(hosts.map((host) => host.address)).size === hosts.length, {
      error: "two machines have the same address",
    })
    .refine((hosts) => hosts.filter((host) => host.role === "server").length % 2 === 1, {
      error: "must hold an odd number of servers: etcd needs a majority",
    })
    .describe("The machines, with an odd number of servers."),
  privateKeyFile: z
    .string()
    .min(1)
    .optional()
    .describe(
      "OpenSSH private key without a passphrase. Default: a key is generated; its public half is told by `up`.",
    ),
  users: z
    .array(z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/))
    .default([])
    .describe("Accounts besides root that may log in over SSH. Default: none."),
  firewall: firewallSchema,
  hardening: hardeningSchema(true),
});

/** Whatever makes machines on this computer: `up` picks the driver and stays with it. It may say what nspawn's slice may. */
const autoSchema = nspawnSchema.extend({
  driver: z
    .literal("auto")
    .describe("The best that this computer has: nspawn, docker or multipass, in this order; kept with the stack."),
});

/**
 * Where the machines come from. A driver adds its own slice here and a case in `makeTarget`. The command line puts the chosen
 * driver in the place of `auto` before the program reads it (choice.ts); where nobody has chosen, as in a captured graph, `auto`
 * stands for nspawn, so that a graph never depends on the computer that it is planned on.
 */
export const targetSchema = z
  .discriminatedUnion("driver", [nspawnSchema, sshSchema, hcloudSchema, dockerSchema, multipassSchema, autoSchema])
  .transform((target) => (target.driver === "auto" ? { ...target, driver: "nspawn" as const } : target));

export type TargetSettings = z.infer<typeof targetSchema>;
export type NspawnSettings = z.infer<typeof nspawnSchema>;
export type SshSettings = z.infer<typeof sshSchema>;
