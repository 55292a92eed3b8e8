import * as fs from "node:fs";
import * as https from "node:https";
import { parse } from "yaml";
import { KubeError } from "../kube";

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
  interface Kubeconfig {
    clusters?: { cluster: { server: string; "certificate-authority-data": string } }[];
    users?: { user: { "client-certificate-data"?: string; "client-key-data"?: string; token?: string } }[];
  }
  const { clusters, users } = parse(fs.readFileSync(kubeconfigPath, "utf8")) as Kubeconfig;
  const cluster = clusters?.[0]?.cluster;
  const user = users?.[0]?.user;
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

/** A client that sends and reads JSON; an answer that is no success is a `KubeError` with the server's message. */
export class KubeClient {
  private readonly login: Login;

  constructor(login: Login) {
    this.login = login;
  }

  /** Sends one request and gives the answer. Connections are not kept: the command ends soon. */
  request<T>(method: "GET" | "POST" | "PUT" | "DELETE", path: string, body?: unknown): Promise<T> {
    const { server, ca, certificate: cert, key, token } = this.login;
    const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers: Record<string, string> = { accept: "application/json" };
    if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
    if (content)
      Object.assign(headers, { "content-type": "application/json", "content-length": String(content.length) });
    return new Promise((resolve, reject) => {
      const options = { method, headers, ca, cert, key, timeout: 15_000, agent: false as const };
      const request = https.request(new URL(path, server), options, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          const answer = text.startsWith("{") ? (JSON.parse(text) as { message?: string }) : undefined;
          const status = response.statusCode ?? 0;
          if (status >= 400) reject(new KubeError(status, answer?.message ?? `status ${status}`));
          else resolve(answer as T);
        });
      });
      request.on("timeout", () => request.destroy(new Error(`no answer from ${server} in 15 s`)));
      request.on("error", reject);
      request.end(content);
    });
  }
}
