import * as http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type Response, handle } from "./api";
import { CloudError } from "./backend";
import type { Core } from "./core";
import { asCloudError, invalid, statusOf } from "./errors";
import type { Body } from "./input";
import { RateLimit } from "./rate-limit";

/** Methods of the tests' own door, beside the API. */
export type Door = (method: string, path: string, body: Body) => object | undefined;

export interface HttpOptions {
  core: Core;
  token: string;
  rate: RateLimit;
  /** Answers requests below `/_emulator`, which no cloud has; they need the token, too, and are not counted. */
  door: Door;
}

const largest = 1024 * 1024;

async function readBody(request: http.IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > largest) throw invalid("body", "is too large");
    chunks.push(chunk);
  }
  if (size === 0) return {};
  try {
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    if (typeof body === "object" && body !== null && !Array.isArray(body)) return body as Body;
  } catch {
    // answered below
  }
  throw new CloudError("json_error", "the request's body is not a JSON object");
}

/** `GET /servers/17/actions` and the like, with ids taken out: what requests are counted by. */
export const pattern = (method: string, path: string): string => `${method} ${path.replace(/\/\d+(?=\/|$)/g, "/{id}")}`;

export function makeServer(options: HttpOptions): http.Server {
  const server = http.createServer((request, response) => {
    respond(options, request, response).catch(() => response.destroy());
  });
  // Clients keep connections for their next poll; a shorter time than theirs breaks one now and then.
  server.keepAliveTimeout = 120_000;
  return server;
}

async function respond(
  { core, token, rate, door }: HttpOptions,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", `http://${request.headers.host ?? "localhost"}`);
  const method = request.method ?? "GET";
  const send = (status: number, body?: object, headers: Record<string, string> = {}) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    response.writeHead(status, { ...(text ? { "Content-Type": "application/json" } : {}), ...headers });
    response.end(text);
  };
  const authorized = request.headers.authorization === `Bearer ${token}`;
  if (url.pathname.startsWith("/_emulator")) {
    if (!authorized) return send(401, { error: "wrong token" });
    try {
      return send(200, door(method, url.pathname.slice("/_emulator".length), await readBody(request)) ?? {});
    } catch (e) {
      return send(400, { error: (e as Error).message });
    }
  }

  const path = url.pathname.replace(/^\/v1/, "").replace(/\/+$/, "");
  const { requests } = core.state;
  requests.total++;
  const counted = pattern(method, path);
  requests.byPath[counted] = (requests.byPath[counted] ?? 0) + 1;
  const headers: Record<string, string> = {};
  let answer: Response;
  let lost = false;
  try {
    const allowed = rate.take();
    Object.assign(headers, rate.headers());
    if (!allowed) throw new CloudError("rate_limit_exceeded", `limit of ${rate.limit} requests per hour reached`);
    if (!url.pathname.startsWith("/v1/")) throw new CloudError("not_found", `there is no ${url.pathname}`);
    if (!authorized) throw new CloudError("unauthorized", "the token you have provided is invalid");
    const body = await readBody(request);
    const hung = core.faults.takeRequest("timeout", method, path);
    if (hung) {
      await sleep((hung.seconds ?? 60) * 1000, undefined, { ref: false });
      response.destroy();
      return;
    }
    const failed = core.faults.takeRequest("request", method, path);
    if (failed) {
      const error = { code: failed.code ?? "unavailable", message: "ordered by a test" };
      return send(failed.status ?? 503, { error: { ...error, details: null } }, headers);
    }
    lost = core.faults.takeRequest("lostAnswer", method, path) !== undefined;
    answer = await handle(core, { method, path, query: url.searchParams, body, url: url.origin + url.pathname });
  } catch (thrown) {
    const error = asCloudError(thrown);
    const { code, message, details } = error;
    answer = { status: statusOf(error), body: { error: { code, message, details: details ?? null } } };
  }
  core.state.save();
  if (lost) {
    response.destroy();
    return;
  }
  send(answer.status, answer.body, { ...headers, ...(answer.link ? { Link: answer.link } : {}) });
}
