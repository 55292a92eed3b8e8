import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import swagger from "@fastify/swagger";
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from "fastify";
import type { Logger } from "pino";
import type { Health } from "./health";
import type { Items } from "./items/cached-store";
import { itemRoutes } from "./items/routes";
import { itemSchema } from "./items/schemas";
import type { Metrics } from "./metrics";
import { healthRoutes, metricsRoute } from "./operations";
import { Problem, problemBody, problemSchema, sendProblem } from "./problem";
import { version } from "./version";

/** What the HTTP side needs of the rest. */
export interface Parts {
  log: Logger;
  health: Health;
  metrics: Metrics;
  items: Items;
  /** Serve /metrics here too. */
  metricsHere: boolean;
}

/** Bytes of a request's body: the largest item is below 10 KiB, escapes included below 16. */
const BODY_LIMIT = 32 * 1024;

/** Routes that are asked all the time by machines: logged at debug only. */
const QUIET = new Set(["/healthz", "/readyz", "/metrics"]);

/** A request id from outside is kept when it is short and harmless in a log. */
const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;

/** The HTTP server, not yet listening. */
export async function buildApp({ log, health, metrics, items, metricsHere }: Parts): Promise<FastifyInstance> {
  const logger: FastifyBaseLogger = log;
  const app = Fastify({
    loggerInstance: logger,
    // One line a request is written below, in our own form.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: "requestId" }),
    bodyLimit: BODY_LIMIT,
    // Longer than a proxy keeps an idle connection (Traefik: 90 s), so that it is never we who close one in its hand.
    keepAliveTimeout: 95_000,
    requestTimeout: 15_000,
    // While closing, requests on open connections are answered, not turned away.
    return503OnClosing: false,
    genReqId: (request) => {
      const given = request.headers["x-request-id"];
      return typeof given === "string" && REQUEST_ID.test(given) ? given : randomUUID();
    },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: true, allowUnionTypes: true } },
    frameworkErrors: (error, request, reply) => void sendProblem(error, request, reply),
    clientErrorHandler: answerMalformed,
  });
  // Only JSON comes in; a merge patch is JSON too. Anything else is 415.
  app.removeContentTypeParser("text/plain");
  const json = app.getDefaultJsonParser("error", "error");
  app.addContentTypeParser("application/merge-patch+json", { parseAs: "string" }, json);
  app.addSchema(itemSchema);
  app.addSchema(problemSchema);

  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(new Problem(404, `There is nothing at ${request.url.split("?")[0]}.`), request, reply),
  );
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id).header("x-content-type-options", "nosniff");
  });
  app.addHook("onSend", async (_, reply) => {
    // Clients move to another instance while this one still answers.
    if (health.phase === "stopping") reply.header("connection", "close");
  });
  app.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? "unmatched";
    metrics.observe(request.method, route, reply.statusCode, reply.elapsedTime / 1000);
    const line = { method: request.method, route, status: reply.statusCode, ms: Math.round(reply.elapsedTime) };
    request.log[QUIET.has(route) ? "debug" : "info"](line, "request");
  });

  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "Groundwork API", version, description: "Items, kept in PostgreSQL." },
      tags: [{ name: "items" }, { name: "operations", description: "For probes, scrapers and tools." }],
    },
    refResolver: {
      buildLocalReference: (schema, _, __, index) => (schema["$id"] as string | undefined) ?? `schema-${index}`,
    },
  });
  const methods = new Map<string, Set<string>>();
  app.addHook("onRoute", ({ url, method }) => {
    const known = methods.get(url) ?? new Set();
    for (const one of [method].flat()) known.add(one);
    methods.set(url, known);
  });
  await app.register((routes, _, done) => {
    healthRoutes(routes, health);
    if (metricsHere) metricsRoute(routes, metrics);
    routes.get("/openapi.json", { schema: { tags: ["operations"], hide: true } }, () => app.swagger());
    itemRoutes(routes, items);
    done();
  });
  refuseOtherMethods(app, new Map(methods));
  await app.ready();
  return app;
}

/** Answers 405 with Allow where a path exists but not with that method, and OPTIONS with Allow. */
function refuseOtherMethods(app: FastifyInstance, methods: Map<string, Set<string>>): void {
  for (const [url, known] of methods) {
    const allow = [...known, "OPTIONS"].sort().join(", ");
    app.route({
      url,
      method: app.supportedMethods.filter((method) => !known.has(method)),
      schema: { hide: true },
      // Before the body is read: its media type does not matter here.
      onRequest: async (request, reply) => {
        if (request.method === "OPTIONS") return reply.code(204).header("allow", allow).send();
        throw new Problem(405, `${request.method} is not possible here; ${allow} are.`, undefined, { allow });
      },
      handler: () => undefined,
    });
  }
}

/** Requests that are no HTTP never reach a route; they get the same kind of answer. */
function answerMalformed(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed || !socket.writable) return void socket.destroy();
  const status = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }[error.code ?? ""] ?? 400;
  const body = problemBody(new Problem(status, "The request could not be read."), randomUUID());
  const text = JSON.stringify(body);
  socket.end(
    `HTTP/1.1 ${status} ${body.title}\r\nContent-Type: application/problem+json\r\nConnection: close\r\n` +
      `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}
