import * as https from "node:https";

/** A Kubernetes object, as far as anybody here looks into it. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    annotations?: Record<string, string>;
    labels?: Record<string, string>;
    deletionTimestamp?: string;
    ownerReferences?: { kind: string; name: string }[];
    [field: string]: unknown;
  };
  [field: string]: unknown;
}

/** Reads a value deep inside an object; undefined where a step is missing. The caller says what type it has. */
export function at<T>(value: unknown, ...path: (string | number)[]): T | undefined {
  let found = value;
  for (const step of path) {
    if (typeof found !== "object" || found === null) return undefined;
    found = (found as Record<string | number, unknown>)[step];
  }
  return found as T | undefined;
}

/** An answer of the API server that is no success. */
export class KubeApiError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** What is needed to speak to an API server: its address, the authority of its certificate, a bearer token. */
export interface KubeApiAccess {
  url: string;
  ca: string;
  token: string;
}

const patchTypes = {
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
};

/** The least of a Kubernetes client: JSON requests by path over kept connections. */
export class KubeApi {
  private readonly access: KubeApiAccess;
  private readonly agent: https.Agent;

  constructor(access: KubeApiAccess) {
    this.access = access;
    this.agent = new https.Agent({ keepAlive: true, ca: access.ca, maxSockets: 8 });
  }

  get = <T = KubeObject>(path: string): Promise<T> => this.request<T>("GET", path);
  post = <T = KubeObject>(path: string, body: unknown): Promise<T> => this.request<T>("POST", path, body);
  put = <T = KubeObject>(path: string, body: unknown): Promise<T> => this.request<T>("PUT", path, body);
  delete = (path: string, options: unknown = {}): Promise<KubeObject> => this.request("DELETE", path, options);

  /** Items of a list, from the server's cache. */
  async list(path: string): Promise<KubeObject[]> {
    const answer = await this.get<{ items?: KubeObject[] }>(
      `${path}${path.includes("?") ? "&" : "?"}resourceVersion=0`,
    );
    return answer.items ?? [];
  }

  /** Changes an object; `apply` needs `fieldManager` in the path's query. */
  patch(path: string, body: unknown, type: keyof typeof patchTypes = "merge"): Promise<KubeObject> {
    return this.request("PATCH", path, body, patchTypes[type]);
  }

  /** The object, or undefined if there is none. */
  async find(path: string): Promise<KubeObject | undefined> {
    try {
      return await this.get(path);
    } catch (error) {
      if (error instanceof KubeApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** Lets idle connections go. */
  close(): void {
    this.agent.destroy();
  }

  private request<T>(method: string, path: string, body?: unknown, type = "application/json"): Promise<T> {
    return new Promise((resolve, reject) => {
      const headers: Record<string, string> = {
        Authorization: `Bearer ${this.access.token}`,
        Accept: "application/json",
      };
      const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
      if (content) {
        headers["Content-Type"] = type;
        // Node frames the body of a DELETE only when it is told its length.
        headers["Content-Length"] = String(content.length);
      }
      const request = https.request(
        new URL(path, this.access.url),
        { method, headers, agent: this.agent },
        (response) => {
          let text = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => (text += chunk));
          response.on("error", reject);
          response.on("end", () => {
            const status = response.statusCode ?? 0;
            if (status >= 400) {
              reject(new KubeApiError(status, `${method} ${path}: ${status} ${messageOf(text)}`));
              return;
            }
            try {
              resolve((text.startsWith("{") ? JSON.parse(text) : text) as T);
            } catch (error) {
              reject(error instanceof Error ? error : new Error(String(error)));
            }
          });
        },
      );
      request.on("error", reject);
      request.setTimeout(30_000, () => request.destroy(new Error(`${method} ${path}: no answer in 30 s`)));
      request.end(content);
    });
  }
}

function messageOf(text: string): string {
  try {
    return (JSON.parse(text) as { message?: string }).message ?? text;
  } catch {
    return text.slice(0, 500);
  }
}
