import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Agent, EnvHttpProxyAgent, fetch, type Response } from "undici";
import { Unavailable } from "./errors";

/** Node's own fetch ignores HTTPS_PROXY on Node 20; undici's agent for that does not. */
let agent: Agent | EnvHttpProxyAgent | undefined;
const hasProxy = ["http_proxy", "https_proxy"].some((name) => process.env[name] ?? process.env[name.toUpperCase()]);
const dispatcher = () => (agent ??= new (hasProxy ? EnvHttpProxyAgent : Agent)({ connectTimeout: 10_000 }));

/** Answers by which a filtering proxy, and not upstream, says no. */
const REFUSALS = new Set([401, 403, 407, 451, 502, 503, 504]);

export interface RequestOptions {
  method?: "GET" | "HEAD";
  headers?: Record<string, string>;
  /** Milliseconds until the headers must be there. Default 30 s. */
  timeout?: number;
  /** Statuses besides 2xx that the caller deals with. */
  accept?: number[];
}

/**
 * One request, redirects followed.
 * @throws Unavailable when nothing answers, or the answer is not the wanted one
 */
export async function request(url: string, options: RequestOptions = {}): Promise<Response> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), options.timeout ?? 30_000);
  try {
    const response = await fetch(url, {
      method: options.method ?? "GET",
      headers: { "user-agent": "groundwork-artifacts", ...options.headers },
      dispatcher: dispatcher(),
      signal: abort.signal,
    });
    clearTimeout(timer);
    if (response.ok || options.accept?.includes(response.status)) return response;
    await response.body?.cancel();
    throw new Unavailable(`${url} answered ${response.status}`);
  } catch (error) {
    if (error instanceof Unavailable) throw error;
    throw new Unavailable(`${new URL(url).host} is not reachable (${reasonOf(error)})`);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether a host answers a HEAD of this URL at all; what a proxy answers in its stead does not count. */
export async function answers(url: string, timeout: number, accept: number[] = []): Promise<boolean> {
  try {
    const ignored = [301, 302, 303, 307, 308, 404, 405, ...accept];
    const response = await request(url, { method: "HEAD", timeout, accept: ignored });
    return accept.includes(response.status) || !REFUSALS.has(response.status);
  } catch (error) {
    if (error instanceof Unavailable) return false;
    throw error;
  }
}

/** Writes a response's body to a file and returns its SHA-256 in hex. A connection that breaks is `Unavailable`. */
export async function save(response: Response, file: string): Promise<string> {
  if (response.body === null) throw new Unavailable(`${response.url} answered with no content`);
  const hash = createHash("sha256");
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  try {
    await pipeline(Readable.fromWeb(response.body), meter, fs.createWriteStream(file));
  } catch (error) {
    fs.rmSync(file, { force: true });
    if ((error as NodeJS.ErrnoException).code === "ENOSPC") throw error;
    throw new Unavailable(`${response.url} broke off (${reasonOf(error)})`);
  }
  return hash.digest("hex");
}

function reasonOf(error: unknown): string {
  if ((error as Error).name === "AbortError") return "no answer in time";
  const cause = (error as { cause?: NodeJS.ErrnoException }).cause;
  return cause?.code ?? cause?.message ?? (error as Error).message;
}
