import * as fs from "node:fs";
import * as https from "node:https";
import { parse } from "yaml";

/** A read-only client of one API server, enough for probes: GET with the kubeconfig's client certificate. */
export interface KubeReader {
  get<T>(path: string, timeoutMs?: number): Promise<T>;
  /** The API server's clock, in whole seconds. */
  date(): Promise<Date>;
}

interface Kubeconfig {
  clusters?: { cluster: { server: string; "certificate-authority-data": string } }[];
  users?: { user: { "client-certificate-data"?: string; "client-key-data"?: string; token?: string } }[];
}

/** How to reach one API server as somebody. */
export interface Login {
  server: string;
  /** The cluster's authority, PEM. */
  ca: string;
  /** A client certificate and its key, PEM, or a token. */
  certificate?: string;
  key?: string;
  token?: string;
}

/** Reads a kubeconfig file with one cluster and one user. */
export function loginOf(kubeconfigPath: string): Login {
  const config = parse(fs.readFileSync(kubeconfigPath, "utf8")) as Kubeconfig;
  const cluster = config.clusters?.[0]?.cluster;
  const user = config.users?.[0]?.user;
  if (!cluster || !user) throw new Error(`${kubeconfigPath} names no cluster or no user`);
  const decode = (value?: string) => (value === undefined ? undefined : Buffer.from(value, "base64").toString("utf8"));
  return {
    server: cluster.server,
    ca: decode(cluster["certificate-authority-data"])!,
    certificate: decode(user["client-certificate-data"]),
    key: decode(user["client-key-data"]),
    token: user.token,
  };
}

/** Status codes of the API server's own answers become errors with its message. */
export class KubeError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Opens the cluster of a kubeconfig file with one cluster and one user. */
export function openKube(kubeconfigPath: string): KubeReader {
  const { server, ca, certificate: cert, key, token } = loginOf(kubeconfigPath);
  const agent = new https.Agent({ keepAlive: true, ca, cert, key });
  const ask = <T>(path: string, timeoutMs: number): Promise<{ body: T; date: Date }> =>
    new Promise((resolve, reject) => {
      const headers: Record<string, string> = { accept: "application/json" };
      if (token) headers["authorization"] = `Bearer ${token}`;
      const request = https.get(new URL(path, server), { agent, headers, timeout: timeoutMs }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          const status = response.statusCode ?? 0;
          if (status >= 400) {
            const message = text.startsWith("{") ? (JSON.parse(text) as { message?: string }).message : text;
            reject(new KubeError(status, message || `status ${status}`));
            return;
          }
          const body = (text.startsWith("{") ? JSON.parse(text) : text) as T;
          resolve({ body, date: new Date(response.headers.date ?? Number.NaN) });
        });
      });
      request.on("timeout", () => request.destroy(new Error(`no answer from ${server} in ${timeoutMs} ms`)));
      request.on("error", reject);
    });
  return {
    get: async <T>(path: string, timeoutMs = 5000) => (await ask<T>(path, timeoutMs)).body,
    date: async () => (await ask("/version", 5000)).date,
  };
}
