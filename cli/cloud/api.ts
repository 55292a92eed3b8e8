/** Where Hetzner Cloud's API is, unless a stack says otherwise. */
export const defaultEndpoint = "https://api.hetzner.cloud/v1";

/** How to reach the API of one project. The token is the project. */
export interface CloudAccess {
  token: string;
  /** With its version, such as `https://api.hetzner.cloud/v1`, the default. */
  endpoint?: string;
}

/** An action of the API: what goes on after a request was accepted. */
export interface CloudAction {
  id: number;
  command: string;
  status: "running" | "success" | "error";
  error?: { code: string; message: string } | null;
}

/** What every object has that the command line looks at. */
export interface CloudObject {
  id: number;
  name: string;
  created?: string;
  labels?: Record<string, string>;
  protection?: { delete?: boolean; rebuild?: boolean };
}

/** The API's own answer that something is wrong, or that it can't be reached (`code` "unreachable", status 0). */
export class CloudApiError extends Error {
  /** As the API names it: `unauthorized`, `not_found`, `resource_limit_exceeded`, `rate_limit_exceeded`, ... */
  readonly code: string;
  readonly status: number;
  constructor(code: string, status: number, message: string) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** What tests put in place of the clock and of the wait. */
export interface CloudApiOptions {
  sleep?: (milliseconds: number) => Promise<void>;
  /** Longest that one request may be repeated for, in seconds. Default 120. */
  patience?: number;
  /** Longest wait for one answer, in seconds. Default 30. */
  timeout?: number;
}

type Query = Record<string, string | number>;

/** The object is being worked on, or requests came too fast: the same request is right a little later. */
const later = new Set(["conflict", "locked", "rate_limit_exceeded"]);
/** The most that the API gives at once. */
const pageSize = 50;
const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

/**
 * A small client of the documented API: lists with their pages, waits out the rate limit (3,600 requests an hour, refilled one a
 * second) and objects that are being changed, follows actions. Errors are `CloudApiError`; the token is in none of them.
 */
export class CloudApi {
  readonly endpoint: string;
  private readonly token: string;
  private readonly sleep: (milliseconds: number) => Promise<void>;
  private readonly patience: number;
  private readonly timeout: number;

  constructor({ token, endpoint }: CloudAccess, options: CloudApiOptions = {}) {
    this.endpoint = (endpoint ?? defaultEndpoint).replace(/\/+$/, "");
    this.token = token;
    this.sleep = options.sleep ?? pause;
    this.patience = (options.patience ?? 120) * 1000;
    this.timeout = (options.timeout ?? 30) * 1000;
  }

  /** All objects of a list, over its pages: `list("/servers", "servers", { label_selector: "a=b" })`. */
  async list<T extends CloudObject>(path: string, key: string, query: Query = {}): Promise<T[]> {
    const all: T[] = [];
    for (let page: number | null = 1; page !== null;) {
      const answer: Record<string, unknown> = await this.request("GET", path, { ...query, page, per_page: pageSize });
      all.push(...((answer[key] as T[] | undefined) ?? []));
      const meta = answer["meta"] as { pagination?: { next_page?: number | null } } | undefined;
      page = meta?.pagination?.next_page ?? null;
    }
    return all;
  }

  get<T = Record<string, unknown>>(path: string, query: Query = {}): Promise<T> {
    return this.request("GET", path, query) as Promise<T>;
  }

  /** Sends a change and waits until the actions that it started have ended. Throws the error of one that failed. */
  async change<T = Record<string, unknown>>(
    method: "POST" | "PUT" | "DELETE",
    path: string,
    body?: object,
  ): Promise<T> {
    const answer = await this.request(method, path, {}, body);
    const started = [answer["action"], ...((answer["actions"] ?? answer["next_actions"] ?? []) as unknown[])];
    for (const action of started) if (action) await this.waitFor(action as CloudAction);
    return answer as T;
  }

  /** Deletes an object; one that is gone already is as good. */
  async remove(path: string): Promise<void> {
    try {
      await this.change("DELETE", path);
    } catch (error) {
      if (!(error instanceof CloudApiError) || error.status !== 404) throw error;
    }
  }

  /** Waits until an action has ended. */
  async waitFor(action: CloudAction): Promise<void> {
    const end = Date.now() + this.patience;
    for (let wait = 250; action.status === "running"; wait = Math.min(wait * 2, 4000)) {
      if (Date.now() > end) throw new CloudApiError("timeout", 0, `${action.command} does not end`);
      await this.sleep(wait);
      ({ action } = await this.get<{ action: CloudAction }>(`/actions/${action.id}`));
    }
    if (action.status === "success") return;
    const { code, message } = action.error ?? { code: "action_failed", message: "no reason was given" };
    throw new CloudApiError(code, 0, `${action.command} failed: ${message}`);
  }

  /** One request, repeated while the API says "later" or a read finds nobody. */
  private async request(
    method: string,
    path: string,
    query: Query = {},
    body?: object,
  ): Promise<Record<string, unknown>> {
    const end = Date.now() + this.patience;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.once(method, path, query, body);
      } catch (error) {
        if (!(error instanceof CloudApiError)) throw error;
        // Only what is safe to send twice: a read, or a change that was refused before anything happened.
        const again = later.has(error.code) || (method === "GET" && (error.status === 0 || error.status >= 500));
        if (!again || (error.status === 0 && attempt >= 3) || Date.now() > end) throw error;
        await this.sleep(Math.min(1000 * 2 ** Math.min(attempt, 4), 15_000));
      }
    }
  }

  private async once(method: string, path: string, query: Query, body?: object): Promise<Record<string, unknown>> {
    const url = new URL(`${this.endpoint}${path}`);
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, String(value));
    let response: Response;
    try {
      response = await fetch(url, {
        method,
        headers: {
          authorization: `Bearer ${this.token}`,
          accept: "application/json",
          ...(body && { "content-type": "application/json" }),
        },
        signal: AbortSignal.timeout(this.timeout),
        ...(body && { body: JSON.stringify(body) }),
      });
    } catch (error) {
      const cause = (error as { cause?: { code?: string; message?: string } }).cause;
      const why = cause?.code || cause?.message || (error as Error).message;
      throw new CloudApiError("unreachable", 0, `the cloud's API at ${this.endpoint} does not answer: ${why}`);
    }
    const text = await response.text();
    const answer = parse(text);
    if (response.ok) return answer ?? {};
    const wrong = answer?.["error"] as { code?: string; message?: string } | undefined;
    const code = wrong?.code ?? (response.status === 429 ? "rate_limit_exceeded" : `http_${response.status}`);
    throw new CloudApiError(code, response.status, wrong?.message ?? `${method} ${path}: status ${response.status}`);
  }
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
  } catch {
    return undefined; // a proxy's page in place of an answer
  }
}
