import * as pulumi from "@pulumi/pulumi";
import { Endpoint, HardenedDeployment, mountedAs, PlatformNamespace, ResourceNeeds } from "../workload";

export interface ApiArgs {
  namespace: PlatformNamespace;
  /** The PostgreSQL database that the API keeps its rows in. */
  database: Endpoint;
  /** @default 1 */
  replicas?: number;
  /** @default 50m/96Mi requested, 1 core/192Mi at most */
  resources?: ResourceNeeds;
  /** @default "info" */
  logLevel?: "debug" | "info" | "warn" | "error";
}

const port = 3000;

const defaultResources: ResourceNeeds = {
  requests: { cpu: "50m", memory: "96Mi", "ephemeral-storage": "16Mi" },
  limits: { cpu: "1", memory: "192Mi", "ephemeral-storage": "64Mi" },
};

/** The platform's example service: items in PostgreSQL behind HTTP. It brings its tables up to date when it starts. */
export class Api extends pulumi.ComponentResource {
  /** HTTP: the items, /healthz, /readyz, /metrics and the OpenAPI document. Known once all replicas serve. */
  readonly endpoint: Endpoint;

  constructor(name: string, args: ApiArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:apps:Api", name, {}, opts);
    const deployment = new HardenedDeployment(
      name,
      {
        namespace: args.namespace,
        replicas: args.replicas,
        uses: [mountedAs(args.database, "db")],
        // The user of the image's own.
        identity: { uid: 10001, gid: 10001 },
        container: {
          image: args.namespace.foundation.artifacts.image("api"),
          command: ["/usr/bin/node", "/app/server.cjs"],
          env: {
            NODE_ENV: "production",
            PORT: String(port),
            LOG_LEVEL: args.logLevel ?? "info",
            DB_DIR: "/etc/groundwork/db",
            DB_CA: "/etc/groundwork/db-ca/ca.crt",
          },
          ports: { http: port },
          resources: args.resources ?? defaultResources,
          probes: {
            startup: { http: { path: "/healthz", port } },
            liveness: { http: { path: "/healthz", port } },
            readiness: { http: { path: "/readyz", port } },
          },
        },
      },
      { parent: this },
    );
    this.endpoint = deployment.endpoint("http");
    this.registerOutputs({});
  }
}
