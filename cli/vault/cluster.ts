import * as fs from "node:fs";
import * as https from "node:https";
import type { Answer, Call } from "../../apps/keeper/src/http";
import { VaultClient } from "../../apps/keeper/src/vault/client";
import { loginOf } from "../kube";
import { UserError } from "../ui";

/** The administrator's way into a cluster: its API server, and Vault behind the API server's proxy. */
export interface AdminCluster {
  /** @throws UserError where the API server says no */
  api<T>(method: string, path: string, body?: object, type?: string): Promise<T>;
  /** A server of the primary, by its pod. @default the one that was chosen, or the first */
  vault(pod?: string): VaultClient;
  /** Chooses the server that is the leader, so that one that is down is in nobody's way. */
  chooseLeader(): Promise<void>;
  /** Names of the primary's pods. */
  servers(): Promise<string[]>;
  /** Values of a Secret; undefined where there is none. */
  readSecret(namespace: string, name: string): Promise<Record<string, string> | undefined>;
  /** Sets keys of a Secret that exists; `null` removes one. */
  patchSecret(namespace: string, name: string, values: Record<string, string | null>): Promise<void>;
}

/** The namespace, and the first server, which is there whatever the number of servers. */
export const primary = { namespace: "vault", pod: "vault-0", port: 8200 } as const;

/** Opens the cluster of an administrator's kubeconfig. @throws UserError where there is none */
export function openCluster(kubeconfigPath: string, stack: string): AdminCluster {
  if (!fs.existsSync(kubeconfigPath)) {
    throw new UserError(`stack ${stack} is not up: run \`npm run up -- --stack ${stack}\``);
  }
  const { server, ca, certificate: cert, key, token } = loginOf(kubeconfigPath);
  const agent = new https.Agent({ ca, cert, key });
  const call = (path: string, { method = "GET", headers = {}, body, timeout = 30_000 }: Call): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
      const login: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
      const options = { method, agent, timeout, headers: { ...length, ...login, ...headers } };
      const request = https.request(new URL(path, server), options, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
      });
      request.on("timeout", () => request.destroy(new Error(`no answer in ${timeout} ms`)));
      request.on("error", (error) =>
        reject(new UserError(`the cluster of ${stack} does not answer: ${error.message}`)),
      );
      request.end(body);
    });

  const api = async <T>(method: string, path: string, body?: object, type = "application/json"): Promise<T> => {
    const headers = { accept: "application/json", ...(body && { "content-type": type }) };
    const answer = await call(path, { method, headers, body: body && JSON.stringify(body) });
    const text = answer.body.toString("utf8");
    if (answer.status >= 400) throw new ApiError(answer.status, method, path, text);
    return JSON.parse(text) as T;
  };
  let chosen: string = primary.pod;
  const vault = (pod = chosen): VaultClient =>
    new VaultClient((path, request) =>
      call(`/api/v1/namespaces/${primary.namespace}/pods/https:${pod}:${primary.port}/proxy/v1/${path}`, request),
    );
  const servers = async (): Promise<string[]> => {
    const selector = "labelSelector=app.kubernetes.io%2Fname%3Dvault";
    const { items } = await api<{ items: { metadata: { name: string } }[] }>(
      "GET",
      `/api/v1/namespaces/${primary.namespace}/pods?${selector}`,
    );
    return items.map(({ metadata }) => metadata.name).sort();
  };
  const secretPath = (namespace: string, name: string): string => `/api/v1/namespaces/${namespace}/secrets/${name}`;
  return {
    api,
    vault,
    servers,
    async chooseLeader() {
      for (const pod of await servers()) {
        const health = await vault(pod)
          .health()
          .catch(() => undefined);
        if (health?.initialized && !health.sealed && !health.standby) chosen = pod;
      }
    },
    async readSecret(namespace, name) {
      try {
        const { data = {} } = await api<{ data?: Record<string, string> }>("GET", secretPath(namespace, name));
        return Object.fromEntries(
          Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString("utf8")]),
        );
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return undefined;
        throw error;
      }
    },
    async patchSecret(namespace, name, values) {
      const data = Object.fromEntries(
        Object.entries(values).map(([key, value]) => [
          key,
          value === null ? null : Buffer.from(value).toString("base64"),
        ]),
      );
      await api("PATCH", secretPath(namespace, name), { data }, "application/merge-patch+json");
    },
  };
}

/** A no of the API server's, in its own words. */
export class ApiError extends UserError {
  constructor(
    readonly status: number,
    method: string,
    path: string,
    text: string,
  ) {
    let message = "";
    try {
      ({ message = "" } = JSON.parse(text) as { message?: string });
    } catch {
      message = text.slice(0, 200);
    }
    super(`${method} ${path}: ${status} ${message}`.trim());
  }
}
