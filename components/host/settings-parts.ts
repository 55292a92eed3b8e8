import { z } from "zod";

/** An IPv4 network, `10.41.0.0/24`. */
export const cidrSchema = z.cidrv4();

export const nameSchema = z
  .string()
  .regex(/^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$/)
  .describe("Name of the machine and of its node: lower-case letters, digits and dashes, 40 characters at most.");

export const portSchema = z.int().min(1).max(65535);

/** What a machine's firewall lets in besides what the cluster itself needs. */
export const firewallSchema = z
  .strictObject({
    ports: z.array(portSchema).default([]).describe("More TCP ports that are open to everyone. Default: none."),
    adminSources: z
      .array(cidrSchema)
      .min(1)
      .default(["0.0.0.0/0"])
      .describe("Networks from which SSH (22) and the Kubernetes API (6443) can be reached. Default: every network."),
  })
  .prefault({})
  .describe(
    "Firewall of every machine. Always open: 80 and 443; closed to all but the stack's own machines: the rest.",
  );

const durationSchema = z.string().regex(/^[1-9][0-9]{0,4}[mhdw]$/, {
  error: "must be a number of minutes, hours, days or weeks, such as 10m, 1h or 1w",
});

/** `10m` in minutes. */
export const minutes = (duration: string): number =>
  Number.parseInt(duration, 10) * { m: 1, h: 60, d: 1440, w: 10080 }[duration.at(-1) as "m" | "h" | "d" | "w"];

const timeSchema = z
  .string()
  .regex(/^([01][0-9]|2[0-3]):[0-5][0-9]$/, { error: 'must be a time of day in quotes, such as "04:00"' });

/**
 * What goes beyond the baseline that every machine gets. It needs packages: machines of nspawn have them from their root
 * filesystem, others get them by apt. `enabled` is the default of its two switches.
 */
export const hardeningSchema = (enabled: boolean) =>
  z
    .strictObject({
      adminNetworks: z
        .array(
          cidrSchema.refine((cidr) => Number(cidr.split("/")[1]) >= 8, {
            error: "must be a network of /8 or smaller: nobody could be banned who is in it",
          }),
        )
        .default([])
        .describe(
          "Networks that fail2ban never bans, besides the stack's machines and the address that `up` comes from. Default: none.",
        ),
      fail2ban: z
        .strictObject({
          enabled: z.boolean().default(enabled).describe(`Ban who guesses at SSH. Default: ${enabled}.`),
          maxRetry: z.int().min(1).max(20).default(5).describe("Failures until an address is banned. Default: 5."),
          findTime: durationSchema.default("10m").describe("Time in which the failures count. Default: 10m."),
          banTime: durationSchema.default("1h").describe("First ban; each further one is twice as long. Default: 1h."),
          maxBanTime: durationSchema.default("1w").describe("Longest ban. Default: 1w."),
        })
        .refine(({ banTime, maxBanTime }) => !(minutes(banTime) > minutes(maxBanTime)), {
          error: "must not be shorter than banTime",
          path: ["maxBanTime"],
        })
        .prefault({})
        .describe("fail2ban on every machine."),
      upgrades: z
        .strictObject({
          enabled: z
            .boolean()
            .default(enabled)
            .describe(`Install the distribution's security upgrades by themselves. Default: ${enabled}.`),
          at: timeSchema.default("04:00").describe('Time of day, plus up to an hour. Default: "04:00".'),
          reboot: z.boolean().default(false).describe("Restart a machine whose upgrades need it. Default: false."),
          rebootAt: timeSchema.default("05:30").describe('When it is restarted then. Default: "05:30".'),
          hold: z
            .array(z.string().regex(/^[a-z0-9][a-z0-9+.-]*$/))
            .default([])
            .describe("Packages that are left as they are. Default: none."),
        })
        .prefault({})
        .describe("Unattended security upgrades."),
    })
    .prefault({})
    .describe("Protection of every machine beyond the baseline.");

/** How many machines are made, where a driver makes them on this computer. */
export const countSettings = {
  servers: z
    .int()
    .min(1)
    .max(7)
    .refine((count) => count % 2 === 1, { error: "must be odd: etcd needs a majority" })
    .default(1)
    .describe("Machines that run the control plane, an odd number. Default: 1."),
  agents: z.int().min(0).max(32).default(0).describe("Machines that run workloads only. Default: 0."),
};

/** Network of the machines, large enough for every count. */
export const machineCidr = cidrSchema
  .refine((cidr) => Number(cidr.split("/")[1]) <= 24, {
    error: "must have 256 addresses or more (a prefix of /24 or shorter)",
  })
  .default("10.41.0.0/24")
  .describe("The machines' network; its first address is this computer's. Default: 10.41.0.0/24.");

/** The network that is made for them. */
export const networkSettings = {
  network: z
    .strictObject({
      cidr: machineCidr,
      bridge: z
        .string()
        .regex(/^[a-z][a-z0-9]{0,14}$/)
        .default("gwbr0")
        .describe("Name of the bridge that is made on this computer, 15 characters at most. Default: gwbr0."),
    })
    .prefault({}),
};

/** What each of them may use of this computer. */
export const limitSettings = {
  memory: z
    .string()
    .regex(/^[1-9][0-9]*(Mi|Gi)$/)
    .optional()
    .describe("Most memory that each machine may use, as 4Gi. Default: no limit."),
  cpus: z.number().min(0.5).max(256).optional().describe("Most CPUs that each machine may use. Default: no limit."),
};

export type FirewallSettings = z.infer<typeof firewallSchema>;
export type HardeningSettings = z.infer<ReturnType<typeof hardeningSchema>>;
