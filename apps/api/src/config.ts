import * as path from "node:path";

/** How the connections to PostgreSQL are protected: `verify-full` checks chain and host name, `off` is plain TCP. */
export type DatabaseTls = "verify-full" | "off";

/** Everything that the process takes from its environment. Credentials are files, never variables. */
export interface Config {
  /** Port of the HTTP server; 0 lets the system choose. Default 3000. */
  port: number;
  /** Address to listen on. Unset: `::` (both families), or `0.0.0.0` where the machine has no IPv6. */
  host?: string;
  logLevel: string;
  database: {
    /** Folder with one file each for `host`, `port`, `dbname`, `username`, `password`. */
    folder: string;
    tls: DatabaseTls;
    /** PEM file with the CAs that may have signed the server's certificate. */
    caFile: string;
    /** Most connections of this process. */
    poolSize: number;
    /** Milliseconds that one request may spend on retries after transient errors. */
    retryBudget: number;
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
  const config: Config = {
    port: whole("PORT", 3000, 0, 65535),
    host: env["HOST"] || undefined,
    logLevel: choice("LOG_LEVEL", "info", LEVELS),
    database: {
      folder: path.resolve(env["DB_DIR"] || "/etc/groundwork/db"),
      tls: choice<DatabaseTls>("DB_TLS", "verify-full", ["verify-full", "off"]),
      caFile: path.resolve(env["DB_CA"] || "/etc/groundwork/db-ca/ca.crt"),
      poolSize: whole("DB_POOL_SIZE", 10, 1, 100),
      retryBudget: whole("DB_RETRY_BUDGET_MS", 5000, 0, 60000),
    },
    drainDelay: whole("DRAIN_DELAY_MS", 3000, 0, 60000),
    shutdownTimeout: whole("SHUTDOWN_TIMEOUT_MS", 9500, 100, 120000),
  };
  if (mistakes.length > 0) throw new Error(mistakes.join("\n"));
  return config;
}
