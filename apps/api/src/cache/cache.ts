import * as tls from "node:tls";
import { Redis } from "iovalkey";
import type { Logger } from "pino";
import { watchFiles } from "../files";
import { type CacheConfig, type CacheCredentials, cacheFiles, readCacheCredentials } from "./credentials";

/** Milliseconds for which nobody asks a cache that has just failed: one slow answer must not become everybody's. */
const PAUSE = 1000;

/** Milliseconds for making a connection, and the longest pause between two attempts. */
const CONNECT = { timeout: 2000, longest: 5000 };

/** Milliseconds between two looks at the files because a connection could not be made. */
const LOOK_AGAIN = 2000;

/** What happens inside, for metrics. */
export interface CacheEvents {
  read(kind: "item" | "list", outcome: "hit" | "miss" | "bypass"): void;
  failed(): void;
  reloaded(outcome: "rotated" | "unchanged" | "unusable"): void;
  up(isUp: boolean): void;
}

/** A client made with one set of credentials. */
interface Connection {
  client: Redis;
  fingerprint: string;
}

/**
 * Valkey as the rest of the program sees it: something that may be away at any time. Every question is answered within the
 * timeout, if only by "no"; credentials that change are followed, the old connection serving until the new one does.
 */
export class Cache {
  private current: Connection | undefined;
  private next: Connection | undefined;
  private pausedUntil = 0;
  private lookedAt = 0;
  private closed = false;
  private readonly stopWatching: () => void;

  constructor(
    private readonly config: CacheConfig,
    private readonly log: Logger,
    private readonly events: CacheEvents,
  ) {
    this.events.up(false);
    this.reload();
    this.stopWatching = watchFiles(cacheFiles(config), () => this.reload());
  }

  /** Whether it is worth asking. */
  get usable(): boolean {
    return this.current?.client.status === "ready" && Date.now() >= this.pausedUntil;
  }

  /**
   * Runs one question or several. Never throws and never takes longer than the timeout.
   * @returns undefined when the cache did not answer; what was sent may still be done then
   */
  async ask<T>(question: (client: Redis) => Promise<T>): Promise<{ answer: T } | undefined> {
    const connection = this.current;
    if (!connection || !this.usable) return undefined;
    try {
      const answer = await question(connection.client);
      this.events.up(true);
      return { answer };
    } catch (error) {
      this.events.failed();
      this.events.up(false);
      // One line for all that were under way. The driver's errors carry the command: the message is enough.
      if (this.usable) this.log.warn({ reason: (error as Error).message }, "cache failed; requests do without it");
      this.pausedUntil = Date.now() + PAUSE;
      return undefined;
    }
  }

  /** Reads the credentials again; a new connection takes over, once it answers, when they changed. */
  reload(): void {
    if (this.closed) return;
    let credentials: CacheCredentials;
    try {
      credentials = readCacheCredentials(this.config);
    } catch (error) {
      this.log.warn({ reason: (error as Error).message }, "cache credentials unusable");
      return this.events.reloaded("unusable");
    }
    const newest = this.next ?? this.current;
    if (credentials.fingerprint === newest?.fingerprint) return this.events.reloaded("unchanged");
    // What was on its way with older ones is not waited for.
    this.next?.client.disconnect();
    const connection = { client: this.connect(credentials), fingerprint: credentials.fingerprint };
    this.next = connection;
    connection.client.on("ready", () => void this.promote(connection));
    this.events.reloaded("rotated");
  }

  close(): void {
    this.closed = true;
    this.stopWatching();
    this.current?.client.disconnect();
    this.next?.client.disconnect();
  }

  /** Makes a connection the one that is asked, after it has answered: "ready" is said before the login is checked. */
  private async promote(connection: Connection): Promise<void> {
    try {
      await connection.client.ping();
    } catch {
      // It will be ready again, or replaced.
      return connection.client.disconnect(connection === this.next || connection === this.current);
    }
    if (this.current === connection) this.events.up(true);
    if (this.next !== connection) return;
    const old = this.current;
    this.current = connection;
    this.next = undefined;
    this.pausedUntil = 0;
    this.events.up(true);
    this.log.info({ fingerprint: connection.fingerprint }, old ? "cache credentials rotated" : "cache connected");
    // In the order of the connection, after everything that was asked on it.
    old?.client.quit().catch(() => old.client.disconnect());
  }

  private connect(credentials: CacheCredentials): Redis {
    const { host, port, username, password, ca, client } = credentials;
    const made = new Redis({
      host,
      port,
      username,
      password,
      family: 0,
      tls: {
        ca,
        cert: client?.cert,
        key: client?.key,
        servername: /^[\d.]+$|:/.test(host) ? undefined : host,
        minVersion: "TLSv1.2",
        checkServerIdentity: (_, certificate) => tls.checkServerIdentity(host, certificate),
      },
      connectTimeout: CONNECT.timeout,
      commandTimeout: this.config.timeout,
      keepAlive: 30_000,
      retryStrategy: (times) => Math.min(CONNECT.longest, 50 * 2 ** times) * (0.5 + Math.random() / 2),
      // A request never waits for a connection, and nothing is sent twice: an answer that comes late is worth nothing.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      // It would ask for INFO, which the login need not be allowed.
      enableReadyCheck: false,
      autoResubscribe: false,
    });
    made.on("error", (error: Error) => {
      this.log.debug({ reason: error.message }, "cache connection lost or refused");
      this.lookAgain();
    });
    made.on("close", () => {
      if (made === this.current?.client) this.events.up(false);
      this.lookAgain();
    });
    return made;
  }

  /** A login or a certificate that is refused may mean that the files are newer than what we hold. */
  private lookAgain(): void {
    if (this.closed || Date.now() - this.lookedAt < LOOK_AGAIN) return;
    this.lookedAt = Date.now();
    this.reload();
  }
}
