import * as path from "node:path";

/** How the connections to PostgreSQL are protected: `verify-full` checks chain and host name, `off` is plain TCP. */
export type DatabaseTls = "verify-full" | "off";

/** Files of the certificate that this process shows to servers. */
export interface ClientCertificate {
  /** PEM: the certificate, then its chain. */
  certFile: string;
  /** PEM of the private key; may be the same file. */
  keyFile: string;
}

/** Everything that the process takes from its environment. Credentials are files, never variables. */
export interface Config {
  /** Port of the HTTP server; 0 lets the system choose. Default 3000. */
  port: number;
  /** Address to listen on. Unset: `::` (both families), or `0.0.0.0` where the machine has no IPv6. */
  host?: string;
  /** Port for probes and scrapers; then /metrics is there and not on `port`. 0 lets the system choose. Unset: none. */
  operationsPort?: number;
  logLevel: string;
  database: {
    /** Folder with one file each for `host`, `port`, `dbname`, `username`, `password`. */
    folder: string;
    /** JSON file with `username` and `password`, in place of the folder's two. Unset: the folder's. */
    loginFile?: string;
    tls: DatabaseTls;
    /** PEM file with the CAs that may have signed the server's certificate. */
    caFile: string;
    /** Unset: none is shown. */
    client?: ClientCertificate;
    /** Most connections of this process. */
    poolSize: number;
    /** Milliseconds that one request may spend on retries after transient errors. */
    retryBudget: number;
  };
  /** Unset: every read goes to the database. */
  cache?: {
    /** Folder with one file each for `host`, `port`, `username`, `password`. */
    folder: string;
    /** PEM file with the CAs that may have signed the cache's certificate. */
    caFile: string;
    client?: ClientCertificate;
    /** Milliseconds for which a value may be served; other replicas' changes show at the latest then. */
    ttl: number;
    /** Milliseconds that one question to the cache may take. */
    timeout: number;
  };
  /** Milliseconds between "not ready" and closing the listener: time for load balancers to look away. */
  drainDelay: number;
  /** Milliseconds from the signal after which the process ends, whatever is still open. */
  shutdownTimeout: number;
}

const LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"];

/**
 * Reads the environment. All mistakes are told at once, one a line.
 * @throws Error with a message for people when a variable is unusable.
 */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const mistakes: string[] = [];
  const whole = (name: string, fallback: number, from: number, to: number): number => {
    const given = env[name];
    if (given === undefined || given === "") return fallback;
    const value = Number(given);
    if (/^\d+$/.test(given) && value >= from && value <= to) return value;
    mistakes.push(`${name} is ${JSON.stringify(given)}: it must be a whole number from ${from} to ${to}`);
    return fallback;
  };
  const choice = <T extends string>(name: string, fallback: T, allowed: readonly T[]): T => {
    const given = env[name];
    if (given === undefined || given === "") return fallback;
    if ((allowed as readonly string[]).includes(given)) return given as T;
    mistakes.push(`${name} is ${JSON.stringify(given)}: it must be one of ${allowed.join(", ")}`);
    return fallback;
  };
  const file = (name: string): string | undefined => (env[name] ? path.resolve(env[name]) : undefined);
  const certFile = file("CLIENT_CERT");
  const client = certFile === undefined ? undefined : { certFile, keyFile: file("CLIENT_KEY") ?? certFile };
  const cacheFolder = file("CACHE_DIR");
  const config: Config = {
    port: whole("PORT", 3000, 0, 65535),
    host: env["HOST"] || undefined,
    operationsPort: env["OPERATIONS_PORT"] ? whole("OPERATIONS_PORT", 0, 0, 65535) : undefined,
    logLevel: choice("LOG_LEVEL", "info", LEVELS),
    database: {
      folder: path.resolve(env["DB_DIR"] || "/etc/groundwork/db"),
      loginFile: file("DB_LOGIN"),
      tls: choice<DatabaseTls>("DB_TLS", "verify-full", ["verify-full", "off"]),
      caFile: path.resolve(env["DB_CA"] || "/etc/groundwork/db-ca/ca.crt"),
      client,
      poolSize: whole("DB_POOL_SIZE", 10, 1, 100),
      retryBudget: whole("DB_RETRY_BUDGET_MS", 5000, 0, 60000),
    },
    cache: cacheFolder
      ? {
          folder: cacheFolder,
          caFile: path.resolve(env["CACHE_CA"] || "/etc/groundwork/cache-ca/ca.crt"),
          client,
          ttl: whole("CACHE_TTL_MS", 5000, 100, 600_000),
          timeout: whole("CACHE_TIMEOUT_MS", 200, 5, 5000),
        }
      : undefined,
    drainDelay: whole("DRAIN_DELAY_MS", 3000, 0, 60000),
    shutdownTimeout: whole("SHUTDOWN_TIMEOUT_MS", 9500, 100, 120000),
  };
  if (mistakes.length > 0) throw new Error(mistakes.join("\n"));
  return config;
}
