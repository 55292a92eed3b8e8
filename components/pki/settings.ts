import { z } from "zod";

/** A Secret in the namespace cert-manager, which is put there by hand or sealed: no stack's file holds it. */
const secretKeySchema = (what: string, key: string) =>
  z
    .strictObject({
      name: z
        .string()
        .regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/)
        .describe("Name of the Secret."),
      key: z.string().default(key).describe(`Key in it. Default: ${key}.`),
    })
    .describe(`Secret in the namespace cert-manager with ${what}.`);

const rfc2136Schema = z
  .strictObject({
    nameserver: z
      .string()
      .regex(/^[^:\s]+:\d{1,5}$/, { error: "must be an address with a port, such as 192.0.2.53:53" })
      .describe("DNS server that takes dynamic updates, as address:port."),
    tsigKeyName: z.string().min(1).describe("Name of the TSIG key that signs the updates."),
    tsigAlgorithm: z
      .enum(["HMACSHA256", "HMACSHA512"])
      .default("HMACSHA256")
      .describe("Algorithm of the TSIG key. Default: HMACSHA256."),
    tsigSecret: secretKeySchema("the TSIG key", "tsig-secret"),
  })
  .describe("Proves names by DNS records, with dynamic updates (RFC 2136).");

const cloudflareSchema = z
  .strictObject({ apiToken: secretKeySchema("a token that may edit the zone's records", "api-token") })
  .describe("Proves names by DNS records at Cloudflare.");

/** How an ACME server is spoken to. */
const acmeSchema = z.strictObject({
  email: z.email({ error: "must be a mail address" }).describe("Where the authority writes about your certificates."),
  server: z
    .url({ protocol: /^https$/, error: "must be an https:// address" })
    .optional()
    .describe("Directory of another ACME server than Let's Encrypt's. Default: Let's Encrypt's."),
  caFile: z
    .string()
    .optional()
    .describe("PEM file with the authority of that server's own certificate. Default: the public ones."),
  nameservers: z
    .array(z.string().regex(/^[^:\s]+:\d{1,5}$/, { error: "must be an address with a port, such as 192.0.2.53:53" }))
    .min(1)
    .optional()
    .describe("DNS servers that are asked whether a record has arrived. Default: those of the name's own zone."),
  dns01: z
    .union([z.strictObject({ rfc2136: rfc2136Schema }), z.strictObject({ cloudflare: cloudflareSchema })])
    .optional()
    .describe("Prove names by DNS records. Default: by an answer on port 80 (HTTP-01)."),
});

/** Issuers that speak ACME. */
export const acmeIssuers = ["letsencrypt-staging", "letsencrypt-prod"] as const;

/** Certificates that renew themselves inside the cluster. */
export const certificatesSchema = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .describe("Run cert-manager, and take the edge's certificate from it. Default: false."),
    issuer: z
      .enum(["local", "vault", ...acmeIssuers])
      .default("local")
      .describe("Who signs what the edge shows: the stack's own authority, Vault or Let's Encrypt. Default: local."),
    acme: acmeSchema.optional().describe("What an ACME server has to know. Needed by letsencrypt-staging and -prod."),
  })
  .prefault({});

export type CertificateSettings = z.infer<typeof certificatesSchema>;

/** Top-level names that no public authority signs for (RFC 2606, 6762, 8375). */
const PRIVATE = /(^|\.)(local|localhost|internal|test|example|invalid|lan|home\.arpa)$/;

/** What is wrong between these settings and the stack's domain, by the key under `certificates`. */
export function certificateProblems(
  settings: CertificateSettings,
  stack: { domain: string; reachable: boolean },
): { key: string; text: string }[] {
  const { enabled, issuer, acme } = settings;
  const found: { key: string; text: string }[] = [];
  const speaksAcme = (acmeIssuers as readonly string[]).includes(issuer);
  if (!enabled) {
    if (issuer !== "local") found.push({ key: "issuer", text: `is "${issuer}", and certificates.enabled is false` });
    return found;
  }
  if (speaksAcme && !acme) {
    found.push({ key: "issuer", text: `is "${issuer}", which needs groundwork:certificates.acme with an email` });
  }
  if (!speaksAcme && acme) {
    found.push({ key: "acme", text: `is given, and the issuer is "${issuer}", which does not speak ACME` });
  }
  if (!speaksAcme || !acme || acme.server !== undefined) return found;
  if (PRIVATE.test(stack.domain) || !stack.domain.includes(".")) {
    found.push({
      key: "issuer",
      text: `is "${issuer}", which signs for public names only: groundwork:domain is "${stack.domain}"`,
    });
  } else if (!acme.dns01 && !stack.reachable) {
    found.push({
      key: "acme",
      text: "proves names on port 80, which the internet does not reach on machines of this computer: set dns01",
    });
  }
  return found;
}
