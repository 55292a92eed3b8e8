import { z } from "zod";

/** A duration as Vault takes it. */
const duration = z.string().regex(/^\d+(s|m|h|d)$/, { error: "must be a duration such as 30s, 15m, 24h or 90d" });
/** Names end up in API paths. */
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/, { error: "must be letters, digits, ., _ and -" });
const path = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_./-]*$/, { error: "must be a path without a leading slash" });
const names = z.array(z.string().min(1)).min(1);

const kubernetesRole = z.strictObject({
  serviceAccounts: names,
  namespaces: names,
  policies: names,
  ttl: duration.default("1h"),
  audience: z.string().default("vault"),
});

const appRole = z.strictObject({
  policies: names,
  ttl: duration.default("15m"),
  secretIdTtl: duration.default("24h"),
  secretIdUses: z.int().min(0).default(1),
  boundCidrs: z.array(z.string()).default([]),
});

const pkiRole = z.strictObject({
  allowedDomains: names,
  subdomains: z.boolean().default(true),
  bareDomains: z.boolean().default(false),
  enforceHostnames: z.boolean().default(true),
  server: z.boolean().default(false),
  client: z.boolean().default(false),
  ips: z.boolean().default(false),
  keyType: z.enum(["ec", "rsa", "any"]).default("ec"),
  ttl: duration,
  maxTtl: duration,
});

const connection = z.strictObject({
  plugin: z.literal("postgresql"),
  url: z.string().includes("{{username}}").includes("{{password}}"),
  allowedRoles: names,
  credential: z.string().startsWith("/"),
  ca: z.string().startsWith("/").optional(),
  rotateRoot: z.boolean().default(false),
});

const databaseRole = z.strictObject({
  connection: name,
  create: names,
  revoke: z.array(z.string()).default([]),
  renew: z.array(z.string()).default([]),
  defaultTtl: duration,
  maxTtl: duration,
});

const generated = z.strictObject({
  length: z.int().min(16).max(4096).default(32),
  characters: z.enum(["alphanumeric", "hex", "base64url"]).default("alphanumeric"),
});

/** What a configuration may say; the types for callers stand in components/secrets. */
export const documentSchema = z.strictObject({
  policies: z.record(name, z.string()).default({}),
  kubernetesRoles: z.record(name, kubernetesRole).default({}),
  appRoles: z.record(name, appRole).default({}),
  pkiRoles: z.record(name, pkiRole).default({}),
  database: z
    .strictObject({
      connections: z.record(name, connection).default({}),
      roles: z.record(name, databaseRole).default({}),
    })
    .prefault({}),
  kv: z.record(path, z.record(name, generated)).default({}),
});

export type Document = z.infer<typeof documentSchema>;
export type Connection = Document["database"]["connections"][string];

/** What the base configuration is told about the platform. */
export const platformSchema = z.strictObject({
  /** Address that clients use. */
  address: z.url(),
  /** Each server by its own address; the first one is initialised. */
  nodes: z.array(z.url()).min(1),
  namespace: z.string(),
  audience: z.string(),
  accounts: z.strictObject({ base: z.string(), keeper: z.string(), snapshots: z.string() }),
  recovery: z.string(),
  state: z.string(),
  authority: z.string(),
});

export type Platform = z.infer<typeof platformSchema>;

/** @throws Error with one line a mistake */
export function parseJson<T>(schema: z.ZodType<T>, text: string, file: string): T {
  const parsed = schema.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  const mistakes = parsed.error.issues.map((issue) => `${file}: ${issue.path.join(".")}: ${issue.message}`);
  throw new Error(mistakes.join("\n"));
}
