import * as https from "node:https";

/** An answer of the system under test. */
export interface Answer<T = unknown> {
  status: number;
  body: T;
  headers: Record<string, string | string[] | undefined>;
}

export interface Call {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  timeoutMs?: number;
}

/**
 * A client of one site: connects to `address`, whatever the name in `url` resolves to, and accepts only
 * certificates that `ca` signed.
 */
export function client(url: string, address: string, ca: string) {
  const base = new URL(url);
  return <T>(path: string, call: Call = {}): Promise<Answer<T>> =>
    new Promise((resolve, reject) => {
      const body = call.body === undefined ? undefined : JSON.stringify(call.body);
      const request = https.request(
        {
          host: address,
          port: base.port || 443,
          servername: base.hostname,
          path,
          method: call.method ?? "GET",
          ca,
          agent: false,
          timeout: call.timeoutMs ?? 5000,
          headers: { host: base.host, ...(body ? { "content-type": "application/json" } : {}), ...call.headers },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () => {
            const text = Buffer.concat(chunks).toString("utf8");
            const json = String(response.headers["content-type"] ?? "").includes("json");
            resolve({
              status: response.statusCode ?? 0,
              body: (json ? JSON.parse(text) : text) as T,
              headers: response.headers,
            });
          });
        },
      );
      request.on("timeout", () => request.destroy(new Error(`no answer from ${url}${path}`)));
      request.on("error", reject);
      request.end(body);
    });
}

/** Repeats `attempt` until it succeeds or `seconds` have passed; then throws its last error. */
export async function eventually<T>(seconds: number, attempt: () => T | Promise<T>, pauseMs = 250): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
