import * as https from "node:https";
import { KubeError, type Login } from "../kube";

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
