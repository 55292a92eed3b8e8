import * as tls from "node:tls";
import { setTimeout as sleep } from "node:timers/promises";
import { Pool, type PoolClient, type PoolConfig } from "pg";
import type { Logger } from "pino";
import type { Config } from "../config";
import { watchFiles } from "../files";
import { credentialFiles, type Credentials, readCredentials } from "./credentials";
import { judge, Unavailable } from "./errors";

/** Milliseconds: a connection, a statement on the server, an answer as seen from here, a lock, an idle transaction. */
const LIMITS = { connect: 2000, statement: 4000, answer: 5000, lock: 2000, idleInTransaction: 10_000 };

/** Milliseconds between two looks at the files because a connection could not be made. */
const LOOK_AGAIN = 200;

/** What happens inside, for metrics. */
export interface DatabaseEvents {
  retried(reason: string): void;
  reloaded(outcome: "rotated" | "unchanged" | "unusable"): void;
  /** The certificate in use ends then, seconds since 1970. */
  certified(notAfter: number): void;
}

/** A pool made with one set of credentials. It ends when it is retired and its last user is gone. */
interface Generation {
  pool: Pool;
  fingerprint: string;
  users: number;
  retired: boolean;
}

/** What work tells about itself while it runs. */
interface Attempt {
  /** Nothing of it counts yet: whatever breaks now, the server forgets all of it. */
  uncommitted: boolean;
}

/** How many connections there are. */
export interface PoolCounts {
  total: number;
  idle: number;
  waiting: number;
}

/** Options of `pg` for these credentials, limits and protection. */
export function connectionOptions(credentials: Credentials, poolSize: number): PoolConfig {
  const { host, port, database, user, password, ca, client } = credentials;
  return {
    host,
    port,
    database,
    user,
    password,
    // The driver would check an IP address's certificate against "localhost"; this checks the host that was asked for.
    ssl:
      ca === undefined
        ? false
        : {
            ca,
            cert: client?.cert,
            key: client?.key,
            rejectUnauthorized: true,
            minVersion: "TLSv1.2",
            checkServerIdentity: (_, certificate) => tls.checkServerIdentity(host, certificate),
          },
    application_name: "groundwork-api",
    max: poolSize,
    // One connection stays: a request after a quiet hour need not wait for a handshake.
    min: 1,
    idleTimeoutMillis: 60_000,
    // After a failover or a resize, connections spread again within the half hour.
    maxLifetimeSeconds: 1800,
    keepAlive: true,
    connectionTimeoutMillis: LIMITS.connect,
    statement_timeout: LIMITS.statement,
    query_timeout: LIMITS.answer,
    lock_timeout: LIMITS.lock,
    idle_in_transaction_session_timeout: LIMITS.idleInTransaction,
  };
}

/**
 * PostgreSQL as the rest of the program sees it: work is given a connection, is repeated where that is safe, and
 * follows rotated credentials without losing a request.
 */
export class Database {
  private current: Generation;
  private readonly retiring = new Set<Generation>();
  private lookedAt = 0;
  private readonly stopWatching: () => void;
  private readonly ends: Promise<void>[] = [];

  /** @throws Error when the credentials cannot be read. No connection is made yet. */
  constructor(
    private readonly config: Config["database"],
    private readonly log: Logger,
    private readonly events: DatabaseEvents,
  ) {
    this.current = this.generation(readCredentials(config));
    this.stopWatching = watchFiles(credentialFiles(config), () => this.reload());
  }

  /**
   * Runs `work` with a connection. An attempt that never reached the server, or that the server rolled back, is
   * repeated; one with an unknown outcome is repeated only when `repeatable` says that doing it twice is harmless.
   * @throws Unavailable when it did not work out within the retry budget; any other error of `work` as it is.
   */
  async run<T>(repeatable: boolean, work: (client: PoolClient, attempt: Attempt) => Promise<T>): Promise<T> {
    const deadline = Date.now() + this.config.retryBudget;
    for (let attempt = 0; ; attempt++) {
      let reached = false;
      const current: Attempt = { uncommitted: false };
      try {
        return await this.once((client) => {
          reached = true;
          return work(client, current);
        });
      } catch (error) {
        const verdict = judge(error);
        // Whatever kept us from a connection may pass: a certificate being renewed, a database being made.
        if (reached && !verdict.transient) throw error;
        const pause = Math.min(500, 25 * 2 ** attempt) * (0.5 + Math.random() / 2);
        // A statement that hit its time limit would hit it again.
        const harmless = !reached || verdict.undone || current.uncommitted || repeatable;
        const again = verdict.reason !== "57014" && harmless;
        if (!again || Date.now() + pause > deadline) throw new Unavailable(verdict.reason, { cause: error });
        this.events.retried(verdict.reason);
        // A login or a certificate that is refused may mean that the files are newer than what we hold.
        if (!reached || verdict.reason.startsWith("28")) this.lookAgain();
        await sleep(pause);
      }
    }
  }

  /** {@link run} inside one transaction: only a connection that is lost while it commits leaves the outcome unknown. */
  transaction<T>(repeatable: boolean, work: (client: PoolClient) => Promise<T>): Promise<T> {
    return this.run(repeatable, async (client, attempt) => {
      attempt.uncommitted = true;
      await client.query("BEGIN");
      try {
        const result = await work(client);
        attempt.uncommitted = false;
        await client.query("COMMIT");
        return result;
      } catch (error) {
        if (!judge(error).connectionLost) await client.query("ROLLBACK");
        throw error;
      }
    });
  }

  /** One quick round trip, without retries. */
  async ping(): Promise<void> {
    await this.once((client) => client.query("SELECT 1"));
  }

  /** Connections of all generations, those of retired credentials included. */
  counts(): PoolCounts {
    const pools = [this.current, ...this.retiring].map((one) => one.pool);
    const sum = (pick: (pool: Pool) => number): number => pools.reduce((total, pool) => total + pick(pool), 0);
    return {
      total: sum((pool) => pool.totalCount),
      idle: sum((pool) => pool.idleCount),
      waiting: sum((pool) => pool.waitingCount),
    };
  }

  /** Reads the credentials again; new connections use them when they changed, and the old ones drain. */
  reload(): void {
    let credentials: Credentials;
    try {
      credentials = readCredentials(this.config);
    } catch (error) {
      // Half-written or unmounted files: what works goes on working.
      this.log.warn({ reason: (error as Error).message }, "database credentials unusable, keeping the old ones");
      this.events.reloaded("unusable");
      return;
    }
    if (credentials.fingerprint === this.current.fingerprint) return this.events.reloaded("unchanged");
    const old = this.current;
    this.current = this.generation(credentials);
    old.retired = true;
    this.retiring.add(old);
    this.endIfUnused(old);
    this.log.info({ fingerprint: credentials.fingerprint }, "database credentials rotated");
    this.events.reloaded("rotated");
  }

  /** {@link reload}, for failures that come in crowds. */
  private lookAgain(): void {
    if (Date.now() - this.lookedAt < LOOK_AGAIN) return;
    this.lookedAt = Date.now();
    this.reload();
  }

  /** Waits for the work in hand, then closes every connection. */
  async close(): Promise<void> {
    this.stopWatching();
    this.current.retired = true;
    this.retiring.add(this.current);
    this.endIfUnused(this.current);
    while (this.retiring.size > 0) await sleep(10);
    await Promise.all(this.ends);
  }

  private generation(credentials: Credentials): Generation {
    const pool = new Pool(connectionOptions(credentials, this.config.poolSize));
    // Without a listener, the loss of an idle connection would end the process.
    pool.on("error", (error) => this.log.warn({ err: error }, "idle database connection lost"));
    if (credentials.client) this.events.certified(credentials.client.notAfter);
    return { pool, fingerprint: credentials.fingerprint, users: 0, retired: false };
  }

  private async once<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const generation = this.current;
    generation.users++;
    try {
      const client = await generation.pool.connect();
      let broken = false;
      try {
        return await work(client);
      } catch (error) {
        broken = judge(error).connectionLost;
        throw error;
      } finally {
        client.release(broken);
      }
    } finally {
      generation.users--;
      this.endIfUnused(generation);
    }
  }

  /** A pool that is told to end forgets who waits for a connection: it is told only when nobody does. */
  private endIfUnused(generation: Generation): void {
    if (!generation.retired || generation.users > 0 || !this.retiring.delete(generation)) return;
    this.ends.push(generation.pool.end().catch(() => undefined));
  }
}
