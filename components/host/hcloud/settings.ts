import { z } from "zod";
import { cidrSchema, hardeningSchema, portSchema } from "../settings-parts";
import { locationNames } from "./places";

const typeSchema = z
  .string()
  .regex(/^(cx|cpx|ccx|cax)\d{2}$/, { error: "must be a server type of Hetzner Cloud, such as cpx22, ccx13 or cax21" });

const locationSchema = z.enum(locationNames);

/** A label's key and value are those of Kubernetes, which gets them on the nodes. */
const labelsSchema = z.record(
  z.string().regex(/^([a-z0-9.-]{1,253}\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/),
  z.string().regex(/^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/),
);

const imageSchema = z.string().regex(/^([a-z]+-[0-9.]+|[0-9]+)$/, {
  error: 'must be an image of Hetzner Cloud such as "debian-12", or the number of a snapshot in quotes',
});

/** What servers and agents have in common. */
const machineSettings = {
  type: typeSchema.describe(
    "Server type of Hetzner Cloud: cx and cpx share their cores, ccx have their own, cax are ARM.",
  ),
  image: imageSchema.optional().describe("Image that they are made from. Default: target.image."),
  volume: z
    .int()
    .min(10)
    .max(10240)
    .optional()
    .describe("GB of a volume for each, which keeps what pods store and outlives the machine. Default: none."),
  backups: z
    .boolean()
    .default(false)
    .describe("Daily backups by Hetzner, 20 % of the machine's price. Default: false."),
};

const poolSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z]([-a-z0-9]{0,18}[a-z0-9])?$/)
    .refine((name) => !["server", "gateway"].includes(name), { error: "must not be server or gateway" })
    .describe("Name of the pool; its machines are <stack>-<name>-1 and so on. 20 characters at most."),
  count: z.int().min(0).max(90).describe("How many machines the pool has."),
  ...machineSettings,
  location: locationSchema.optional().describe("Where they stand. Default: target.location."),
  labels: labelsSchema.default({}).describe("Labels of their nodes. Default: none."),
  spread: z
    .boolean()
    .default(true)
    .describe("Each on a computer of its own, which Hetzner does for 10 at most. Default: true."),
});

/** Machines that are made at Hetzner Cloud, in one private network. */
export const hcloudSchema = z.strictObject({
  driver: z.literal("hcloud"),
  location: locationSchema.describe("Where the machines stand: fsn1, nbg1, hel1, ash, hil or sin."),
  privateNodes: z
    .boolean()
    .default(true)
    .describe("Machines of the cluster without public addresses, behind a gateway of the stack's own. Default: true."),
  network: z
    .strictObject({
      cidr: cidrSchema.default("10.0.0.0/16").describe("Private network. Default: 10.0.0.0/16."),
      subnet: cidrSchema.optional().describe("Part of it that the machines have addresses in. Default: all of it."),
    })
    .prefault({})
    .describe("The private network that the machines talk through."),
  servers: z
    .strictObject({
      count: z
        .int()
        .min(1)
        .max(7)
        .refine((count) => count % 2 === 1, { error: "must be odd: etcd needs a majority" })
        .default(3)
        .describe("Machines that run the control plane: 1, or 3 to survive the loss of one. Default: 3."),
      ...machineSettings,
      locations: z
        .array(locationSchema)
        .min(1)
        .optional()
        .describe("Where they stand, one after the other in turn. Default: all at target.location."),
      labels: labelsSchema.default({}).describe("Labels of their nodes. Default: none."),
    })
    .describe("Machines that run the control plane, and workloads too."),
  agents: z.array(poolSchema).default([]).describe("Pools of machines that run workloads only. Default: none."),
  image: imageSchema.default("debian-12").describe('Image of all machines: Debian or Ubuntu. Default: "debian-12".'),
  gateway: z
    .strictObject({ type: typeSchema.describe("Server type of the gateway; the smallest does.") })
    .optional()
    .describe(
      "The machine with public addresses that private machines reach the world through, and are reached through.",
    ),
  ingress: z
    .strictObject({
      type: z.enum(["lb11", "lb21", "lb31"]).default("lb11").describe("Type of the load balancer. Default: lb11."),
    })
    .prefault({})
    .describe("Load balancer that people reach the platform through."),
  api: z
    .strictObject({
      type: z.enum(["lb11", "lb21", "lb31"]).default("lb11").describe("Type of the load balancer. Default: lb11."),
      exposure: z
        .enum(["private", "public"])
        .default("private")
        .describe(
          "private: reached from the private network and through the gateway. public: by everyone, since Hetzner's load " +
            "balancers know no firewall. Default: private.",
        ),
    })
    .prefault({})
    .describe("Load balancer before the Kubernetes API."),
  firewall: z
    .strictObject({
      adminSources: z
        .array(cidrSchema)
        .min(1)
        .describe("Networks from which SSH (22) and the Kubernetes API (6443) can be reached. No default: name yours."),
      allowAnySource: z
        .boolean()
        .default(false)
        .describe("Let adminSources hold 0.0.0.0/0 all the same. Default: false."),
      ports: z
        .array(portSchema)
        .default([])
        .describe("More TCP ports open to everyone on public machines. Default: none."),
      wireguardPort: portSchema.optional().describe("UDP port of WireGuard that is open to everyone. Default: none."),
    })
    .describe("What Hetzner's firewalls and those of the machines let in."),
  hardening: hardeningSchema(true),
  sshKeys: z
    .array(z.string().min(1))
    .default([])
    .describe("Names of keys in the Hetzner project that may log in, too, besides the stack's own. Default: none."),
  users: z
    .array(z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/))
    .default([])
    .describe("Accounts besides root that may log in over SSH. Default: none."),
  snapshots: z
    .array(z.string().regex(/^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$/))
    .default([])
    .describe(
      "A name takes a snapshot of every machine of the cluster under it, which stays until the name is taken out. Default: none.",
    ),
  endpoint: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe(
      "Address of the API where it is not Hetzner's own: an emulator. HCLOUD_ENDPOINT wins. Default: Hetzner's.",
    ),
});

export type HcloudSettings = z.infer<typeof hcloudSchema>;
