import * as net from "node:net";
import { z } from "zod";

/** What a stack may say about its Kubernetes cluster. */
export const clusterSchema = z
  .strictObject({
    version: z
      .string()
      .regex(/^1\.\d+$/, { error: 'must be a Kubernetes minor version in quotes, such as "1.36"' })
      .optional()
      .describe(
        "Kubernetes minor version that the stack is meant to run; a checkout with another one is refused. Default: the catalogue's.",
      ),
    clusterCidr: z.cidrv4().default("10.42.0.0/16").describe("The pods' network. Default: 10.42.0.0/16, K3s's own."),
    serviceCidr: z
      .cidrv4()
      .default("10.43.0.0/16")
      .describe("The Services' network. Default: 10.43.0.0/16, K3s's own."),
    clusterDns: z
      .string()
      .refine((address) => net.isIPv4(address), { error: "must be an IPv4 address" })
      .default("10.43.0.10")
      .describe("Address of the cluster's DNS, in serviceCidr. Default: 10.43.0.10, K3s's own."),
  })
  .prefault({})
  .describe("The cluster. Its networks cannot change once it stands.");

export type ClusterSettings = z.infer<typeof clusterSchema>;
