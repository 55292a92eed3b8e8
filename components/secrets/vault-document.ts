/** Permissions of one workload at Vault, and what Vault must know to grant them. A document holds no secret. */
export interface VaultDocument {
  /** Name to policy, in HCL. */
  policies?: Record<string, string>;
  /** Roles of the Kubernetes auth method: which pods may log in as what. */
  kubernetesRoles?: Record<string, KubernetesRole>;
  /** Roles of the AppRole auth method, for what runs outside the cluster. */
  appRoles?: Record<string, AppRole>;
  /** Roles of the intermediate authority `pki`. */
  pkiRoles?: Record<string, PkiRole>;
  database?: {
    connections?: Record<string, DatabaseConnection>;
    roles?: Record<string, DatabaseRole>;
  };
  /** Paths in `kv` to values that are generated once and then left alone. */
  kv?: Record<string, Record<string, GeneratedValue>>;
}

/** A login by service-account token. */
export interface KubernetesRole {
  serviceAccounts: string[];
  namespaces: string[];
  policies: string[];
  /** Of the Vault token, renewable. @default "1h" */
  ttl?: string;
  /** What the service-account token must be made for. @default "vault" */
  audience?: string;
}

/** A login by role id and secret id. */
export interface AppRole {
  policies: string[];
  /** Of the Vault token. @default "15m" */
  ttl?: string;
  /** After which a secret id is worth nothing. @default "24h" */
  secretIdTtl?: string;
  /** How often a secret id may be used; 0 is without limit. @default 1 */
  secretIdUses?: number;
  /** CIDRs that may log in. @default any */
  boundCidrs?: string[];
}

/** What a role may issue. Keys are ECDSA P-256 unless the request brings its own. */
export interface PkiRole {
  /** Domains whose subdomains (and, with `bareDomains`, themselves) may be named. */
  allowedDomains: string[];
  /** @default true */
  subdomains?: boolean;
  /** @default false */
  bareDomains?: boolean;
  /** Names must be host names; off for client names with an underscore. @default true */
  enforceHostnames?: boolean;
  /** Certificates for servers. @default false */
  server?: boolean;
  /** Certificates for clients. @default false */
  client?: boolean;
  /** Addresses may be named, too. @default false */
  ips?: boolean;
  /** @default "ec" */
  keyType?: "ec" | "rsa" | "any";
  ttl: string;
  maxTtl: string;
}

/** A database in which Vault makes and removes logins. */
export interface DatabaseConnection {
  plugin: "postgresql";
  /** `postgresql://{{username}}:{{password}}@HOST:PORT/DATABASE?sslmode=verify-full` */
  url: string;
  /** Roles that may use it. */
  allowedRoles: string[];
  /** Folder with the files `username` and `password` of Vault's own login. */
  credential: string;
  /** PEM file of the authority that signed the server's certificate. @default the system's */
  ca?: string;
  /** Let Vault choose a new password for its own login, once: from then on nobody else knows it. @default false */
  rotateRoot?: boolean;
}

/** Leased logins in a database. */
export interface DatabaseRole {
  connection: string;
  /** Statements; `{{name}}`, `{{password}}` and `{{expiration}}` are filled in. */
  create: string[];
  /** @default Vault's own for the plugin */
  revoke?: string[];
  /** @default Vault's own for the plugin */
  renew?: string[];
  defaultTtl: string;
  maxTtl: string;
}

/** A random value. */
export interface GeneratedValue {
  /** Characters. @default 32 */
  length?: number;
  /** @default "alphanumeric" */
  characters?: "alphanumeric" | "hex" | "base64url";
}
