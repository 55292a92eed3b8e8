import { Writable } from "node:stream";
import pino from "pino";
import { readConfig } from "../../src/config";
import type { ItemView } from "../../src/items/item";
import { safeError } from "../../src/log";
import type { ProblemBody, Violation } from "../../src/problem";
import { type Service, startService } from "../../src/service";
import { type MountedSecret, type Postgres, postgres } from "./postgres";

/** A service in this process with its own database, and everything that it logged. */
export interface Running extends Service {
  url: string;
  secret: MountedSecret;
  logs: string[];
  /** Stops the service and forgets its files. */
  end(): Promise<void>;
}

let databases = 0;

/** A name that no other test of this run uses. */
export const databaseName = (): string => `test_${process.pid}_${++databases}`;

/**
 * Starts a service on a free port, with its own new database or the one of `secret`, and waits for the schema
 * unless `wait` is false; on the server that all tests share, or on another.
 */
export async function running(
  env: NodeJS.ProcessEnv = {},
  secret?: MountedSecret,
  wait = true,
  from?: Postgres,
): Promise<Running> {
  const server = from ?? (await postgres());
  const mounted = secret ?? (await server.makeDatabase(databaseName()));
  const logs: string[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _, done) {
      logs.push(chunk.toString());
      done();
    },
  });
  const config = readConfig({
    PORT: "0",
    HOST: "127.0.0.1",
    DB_DIR: mounted.folder,
    DB_CA: server.caFile,
    DRAIN_DELAY_MS: "0",
    ...env,
  });
  const service = await startService(config, pino({ serializers: { err: safeError } }, sink));
  if (wait) await service.migrated;
  return {
    ...service,
    url: `http://127.0.0.1:${service.port}`,
    secret: mounted,
    logs,
    async end() {
      await service.stop();
      if (!secret) mounted.remove();
    },
  };
}

/** A JSON body with what any of the API's answers has; a test reads what it expects there. */
export interface Body extends ItemView, Omit<ProblemBody, "status"> {
  errors: Violation[];
  status: number | string;
  items: ItemView[];
  next: string | null;
  ready: boolean;
  phase: string;
  database: string;
  version: string;
}

/** An answer, read to its end. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** The text's JSON; an empty object when it is none. */
  body: Body;
}

/** One request; a body that is no text is sent as JSON. */
export async function ask(
  url: string,
  method = "GET",
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
  });
  const text = await response.text();
  const json = response.headers.get("content-type")?.includes("json");
  return { status: response.status, headers: response.headers, text, body: JSON.parse(json ? text : "{}") as Body };
}

/** Asks until `good` holds. */
export async function until<T>(
  what: string,
  ask: () => Promise<T>,
  good: (value: T) => boolean,
  ms = 10_000,
): Promise<T> {
  for (const deadline = Date.now() + ms; ;) {
    const value = await ask();
    if (good(value)) return value;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${ms} ms, last ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
