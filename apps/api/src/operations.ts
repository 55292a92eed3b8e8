import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from "fastify";
import type { Parts } from "./app";
import type { Health } from "./health";
import type { Metrics } from "./metrics";
import { version } from "./version";

const tags = ["operations"];

const readiness = {
  type: "object",
  required: ["ready", "phase", "database"],
  properties: {
    ready: { type: "boolean" },
    phase: { type: "string", enum: ["starting", "migrating", "ready", "stopping"] },
    database: { type: "string", enum: ["reachable", "unreachable", "unknown"] },
  },
} as const;

/** What probes ask for. */
export function healthRoutes(app: FastifyInstance, health: Health): void {
  app.get(
    "/healthz",
    {
      schema: {
        tags,
        operationId: "liveness",
        summary: "Whether the process is alive; the database does not matter",
        response: {
          200: {
            description: "Alive.",
            type: "object",
            required: ["status", "version"],
            properties: { status: { type: "string", const: "ok" }, version: { type: "string" } },
          },
        },
      },
    },
    () => ({ status: "ok", version }),
  );

  app.get(
    "/readyz",
    {
      schema: {
        tags,
        operationId: "readiness",
        summary: "Whether traffic may come: schema up to date, database reachable, not shutting down",
        response: {
          200: { description: "Ready.", ...readiness },
          503: { description: "Not ready.", ...readiness },
        },
      },
    },
    async (_, reply) => {
      const state = await health.readiness();
      return reply.code(state.ready ? 200 : 503).send(state);
    },
  );
}

/** What scrapers ask for. */
export function metricsRoute(app: FastifyInstance, metrics: Metrics): void {
  app.get(
    "/metrics",
    {
      schema: {
        tags,
        operationId: "metrics",
        summary: "Metrics in Prometheus's text format",
        response: { 200: { description: "Metrics.", content: { "text/plain": { schema: { type: "string" } } } } },
      },
    },
    async (_, reply) => reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
}

/** A server for the inside of the cluster, not yet listening: no route of an edge leads to it. */
export async function buildOperations({
  log,
  health,
  metrics,
}: Pick<Parts, "log" | "health" | "metrics">): Promise<FastifyInstance> {
  const logger: FastifyBaseLogger = log;
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 1024,
    requestTimeout: 5000,
  });
  healthRoutes(app, health);
  metricsRoute(app, metrics);
  await app.ready();
  return app;
}
