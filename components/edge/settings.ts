import { z } from "zod";

/** The way in. */
export const edgeSchema = z
  .strictObject({
    replicas: z.int().min(1).max(9).default(1).describe("Pods that terminate TLS. Default: 1."),
  })
  .prefault({});

export type EdgeSettings = z.infer<typeof edgeSchema>;

/** One label of a host name (RFC 1123), in lower case. */
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Longest name of a service that is put before the domain, with its dot. */
const ROOM = 40;

/** The domain below which everything is served. */
export const domainSchema = z
  .string()
  .refine(
    (domain) =>
      domain.length <= 253 - ROOM &&
      domain.split(".").every((label) => LABEL.test(label)) &&
      !/(^|\.)\d+$/.test(domain),
    { error: "must be a domain name in lower case, such as local or platform.example.org" },
  )
  .describe("Domain below which everything is served: the API is api.<domain>.");
