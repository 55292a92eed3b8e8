import * as fs from "node:fs";
import * as path from "node:path";
import { HttpsClient } from "../http";

/** Where a pod finds its account's token and the API server's authority. */
const accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/** A no of the API server's. */
export class KubeError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = "KubeError";
  }
}

/** Values by key; what they are in is the API's business. */
export type Values = Record<string, string>;

/** What the keeper asks of the API server. Without a namespace it means its own. */
export interface Kube {
  readSecret(name: string, namespace?: string): Promise<Values | undefined>;
  /** Sets keys of a Secret, which is made where it is missing; `null` removes one. */
  writeSecret(name: string, values: Record<string, string | null>, namespace?: string): Promise<void>;
  readConfigMap(name: string, namespace?: string): Promise<Values | undefined>;
  writeConfigMap(name: string, values: Values, namespace?: string): Promise<void>;
}

/** The few objects that the keeper makes: Secrets and ConfigMaps, by name. */
export class KubeClient implements Kube {
  private readonly https: HttpsClient;

  constructor(
    private readonly address = "https://kubernetes.default.svc",
    private readonly folder = accountFolder,
  ) {
    this.https = new HttpsClient(path.join(folder, "ca.crt"));
  }

  /** The pod's own namespace. */
  get namespace(): string {
    return fs.readFileSync(path.join(this.folder, "namespace"), "utf8").trim();
  }

  async readSecret(name: string, namespace = this.namespace): Promise<Values | undefined> {
    const found = await this.get<{ data?: Values }>(`namespaces/${namespace}/secrets/${name}`);
    if (!found) return undefined;
    const decoded = Object.entries(found.data ?? {}).map(([key, value]) => [
      key,
      Buffer.from(value, "base64").toString(),
    ]);
    return Object.fromEntries(decoded) as Values;
  }

  async writeSecret(name: string, values: Record<string, string | null>, namespace = this.namespace): Promise<void> {
    const data = Object.fromEntries(
      Object.entries(values).map(([key, value]) => [
        key,
        value === null ? null : Buffer.from(value).toString("base64"),
      ]),
    );
    await this.put("secrets", namespace, name, data, { kind: "Secret", type: "Opaque" });
  }

  async readConfigMap(name: string, namespace = this.namespace): Promise<Values | undefined> {
    const found = await this.get<{ data?: Values }>(`namespaces/${namespace}/configmaps/${name}`);
    return found && (found.data ?? {});
  }

  async writeConfigMap(name: string, values: Values, namespace = this.namespace): Promise<void> {
    await this.put("configmaps", namespace, name, values, { kind: "ConfigMap" });
  }

  private async put(
    kind: string,
    namespace: string,
    name: string,
    data: Record<string, string | null>,
    object: object,
  ): Promise<void> {
    const folder = `namespaces/${namespace}/${kind}`;
    try {
      const patch = "application/merge-patch+json";
      await this.call("PATCH", `${folder}/${name}`, { data }, patch);
    } catch (error) {
      if (!(error instanceof KubeError && error.status === 404)) throw error;
      const labels = { "app.kubernetes.io/managed-by": "groundwork-keeper" };
      const kept = Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null));
      const whole = { apiVersion: "v1", ...object, metadata: { name, namespace, labels }, data: kept };
      await this.call("POST", folder, whole, "application/json");
    }
  }

  private async get<T>(resource: string): Promise<T | undefined> {
    try {
      return (await this.call("GET", resource)) as T;
    } catch (error) {
      if (error instanceof KubeError && error.status === 404) return undefined;
      throw error;
    }
  }

  private async call(method: string, resource: string, body?: object, type?: string): Promise<unknown> {
    // Read each time: the kubelet renews it.
    const token = fs.readFileSync(path.join(this.folder, "token"), "utf8").trim();
    const headers = {
      authorization: `Bearer ${token}`,
      accept: "application/json",
      ...(type && { "content-type": type }),
    };
    const answer = await this.https.call(`${this.address}/api/v1/${resource}`, {
      method,
      headers,
      body: body && JSON.stringify(body),
    });
    const text = answer.body.toString("utf8");
    if (answer.status >= 400) {
      // The API server repeats what was sent where it is malformed: of its words only the reason is kept.
      const { reason } = (text.startsWith("{") ? JSON.parse(text) : {}) as { reason?: string };
      throw new KubeError(answer.status, `${method} ${resource}: ${answer.status} ${reason ?? ""}`.trim());
    }
    return text === "" ? {} : JSON.parse(text);
  }
}
