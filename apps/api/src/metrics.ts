import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { CacheEvents } from "./cache/cache";
import type { DatabaseEvents, PoolCounts } from "./database/database";
import { version } from "./version";

/** What the process measures. One registry an instance, so that several can live in one test process. */
export class Metrics implements DatabaseEvents {
  /** What the cache tells. */
  readonly cache: CacheEvents;
  readonly registry = new Registry();
  private readonly durations: Histogram<"method" | "route" | "status">;
  private readonly retries: Counter<"reason">;
  private readonly reloads: Counter<"outcome">;
  private readonly certificate: Gauge;

  /** `counts` is asked at each scrape; it may answer undefined while there is no pool. */
  constructor(counts: () => PoolCounts | undefined, defaults = true) {
    const registers = [this.registry];
    if (defaults) collectDefaultMetrics({ register: this.registry });
    this.durations = new Histogram({
      name: "http_request_duration_seconds",
      help: "Time from the request's head to the end of the answer.",
      labelNames: ["method", "route", "status"],
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    });
    this.retries = new Counter({
      name: "groundwork_api_database_retries_total",
      help: "Attempts that were repeated after a transient database error.",
      labelNames: ["reason"],
      registers,
    });
    this.reloads = new Counter({
      name: "groundwork_api_database_credential_reloads_total",
      help: "Looks at the mounted credentials and what they came to.",
      labelNames: ["outcome"],
      registers,
    });
    this.certificate = new Gauge({
      name: "groundwork_api_client_certificate_not_after_seconds",
      help: "End of the client certificate in use, seconds since 1970; 0 without one.",
      registers,
    });
    this.cache = cacheMetrics(registers);
    new Gauge({
      name: "groundwork_api_database_connections",
      help: "Database connections by state; waiting counts requests that wait for one.",
      labelNames: ["state"],
      registers,
      collect() {
        const now = counts() ?? { total: 0, idle: 0, waiting: 0 };
        this.set({ state: "idle" }, now.idle);
        this.set({ state: "busy" }, now.total - now.idle);
        this.set({ state: "waiting" }, now.waiting);
      },
    });
    new Gauge({
      name: "groundwork_api_info",
      help: "1, with the version as a label.",
      labelNames: ["version"],
      registers,
    }).set({ version }, 1);
  }

  /** `route` is the pattern, never the path: labels must stay few. */
  observe(method: string, route: string, status: number, seconds: number): void {
    this.durations.observe({ method, route, status: String(status) }, seconds);
  }

  retried(reason: string): void {
    this.retries.inc({ reason });
  }

  reloaded(outcome: string): void {
    this.reloads.inc({ outcome });
  }

  certified(notAfter: number): void {
    this.certificate.set(notAfter);
  }
}

function cacheMetrics(registers: Registry[]): CacheEvents {
  const reads = new Counter({
    name: "groundwork_api_cache_reads_total",
    help: "Reads by what the cache said: hit, miss, or bypass when it is away or not to be trusted after a lost invalidation.",
    labelNames: ["kind", "outcome"],
    registers,
  });
  const errors = new Counter({
    name: "groundwork_api_cache_errors_total",
    help: "Questions to the cache that failed or took too long.",
    registers,
  });
  const reloads = new Counter({
    name: "groundwork_api_cache_credential_reloads_total",
    help: "Looks at the cache's mounted credentials and what they came to.",
    labelNames: ["outcome"],
    registers,
  });
  const up = new Gauge({
    name: "groundwork_api_cache_up",
    help: "1 while the cache answers, 0 while requests do without it (degraded, yet served).",
    registers,
  });
  return {
    read: (kind, outcome) => reads.inc({ kind, outcome }),
    failed: () => errors.inc(),
    reloaded: (outcome) => reloads.inc({ outcome }),
    up: (isUp) => up.set(isUp ? 1 : 0),
  };
}
