import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { buildApp } from "./app";
import { Cache } from "./cache/cache";
import type { Config } from "./config";
import { Database } from "./database/database";
import { judge, Unavailable } from "./database/errors";
import { migrate } from "./database/migrate";
import { Health } from "./health";
import { CachedItems } from "./items/cached-store";
import { ItemStore } from "./items/store";
import { Metrics } from "./metrics";
import { buildOperations } from "./operations";

/** Milliseconds between two clean-ups of idempotency keys. */
const HOUR = 3_600_000;

/** A running instance. */
export interface Service {
  app: FastifyInstance;
  health: Health;
  /** Port that it listens on. */
  port: number;
  /** Port with /metrics, where it is one of its own. */
  operationsPort?: number;
  /** Settles when the schema is up to date; rejects when it can never be. */
  migrated: Promise<void>;
  /** Not ready, a delay for load balancers, the requests in hand, then the database. */
  stop(): Promise<void>;
}

/**
 * Starts listening at once, so that liveness answers, and brings the schema up to date behind it.
 * @throws Error when the credentials cannot be read or the port is taken.
 */
export async function startService(config: Config, log: Logger): Promise<Service> {
  let database: Database | undefined;
  const metrics = new Metrics(() => database?.counts());
  const db = (database = new Database(config.database, log, metrics));
  const health = new Health(() => db.ping());
  const items = new ItemStore(db);
  const cache = config.cache && new Cache(config.cache, log, metrics.cache);
  const served = config.cache && cache ? new CachedItems(items, cache, metrics.cache, config.cache.ttl) : items;
  const metricsHere = config.operationsPort === undefined;
  const app = await buildApp({ log, health, metrics, items: served, metricsHere });
  const operations = metricsHere ? undefined : await buildOperations({ log, health, metrics });
  const close = async (): Promise<void> => {
    await app.close();
    // Probes are answered to the end.
    await operations?.close();
    cache?.close();
    await db.close();
  };
  try {
    await listen(app, config.port, config.host);
    if (operations) await listen(operations, config.operationsPort ?? 0, config.host);
  } catch (error) {
    await close();
    throw error;
  }
  const port = portOf(app);
  const operationsPort = operations && portOf(operations);
  log.info(
    { port, operationsPort, database: config.database.tls === "off" ? "plain" : "tls", cache: !!cache },
    "started",
  );

  const cleaner = setInterval(() => {
    items.forgetKeys().catch((error: unknown) => log.warn({ err: error }, "clean-up of idempotency keys failed"));
  }, HOUR).unref();

  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    health.phase = "stopping";
    clearInterval(cleaner);
    log.info({ drainDelay: config.drainDelay }, "stopping");
    await sleep(config.drainDelay);
    await close();
    log.info("stopped");
  };
  const migrated = bringUp(db, health, log);
  return { app, health, port, operationsPort, migrated, stop: () => (stopped ??= stop()) };
}

const portOf = (app: FastifyInstance): number => (app.server.address() as { port: number }).port;

async function listen(app: FastifyInstance, port: number, host: string | undefined): Promise<void> {
  try {
    await app.listen({ port, host: host ?? "::", listenTextResolver: (at) => `listening at ${at}` });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (host !== undefined || (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL")) throw error;
    await app.listen({ port, host: "0.0.0.0" });
  }
}

/** Waits for the database as long as it takes: it may be made at the same time as we are. */
async function bringUp(database: Database, health: Health, log: Logger): Promise<void> {
  health.phase = "migrating";
  for (let attempt = 0; health.phase === "migrating"; attempt++) {
    try {
      const applied = await migrate(database, log);
      // A signal may have come meanwhile.
      if ((health.phase as string) === "migrating") health.phase = "ready";
      log.info({ applied }, "schema up to date");
      return;
    } catch (error) {
      if (!(error instanceof Unavailable) && !judge(error).transient) throw error;
      log.warn({ err: error, attempt }, "database not reachable yet");
      await sleep(Math.min(2000, 200 * 2 ** Math.min(attempt, 4)));
    }
  }
}
