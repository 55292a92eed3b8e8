import * as pulumi from "@pulumi/pulumi";
import type { Artifacts } from "../artifacts/types";
import { Api } from "../components/apps";
import { Postgres, PostgresOperator } from "../components/data";
import { Traefik } from "../components/edge";
import { LocalCa } from "../components/pki";
import { Bytes, Foundation, InstallCrds, NamespaceQuota, PlatformNamespace } from "../components/workload";
import type { ComponentReport } from "./report";
import type { Settings } from "./settings";

/** Names in the catalogue of the images that the platform's pods run: every node gets them before it starts. */
export const platformImages = ["cloudnative-pg", "postgresql", "traefik", "api"];

export interface PlatformArgs {
  artifacts: Artifacts;
  settings: Settings;
  /** Addresses of the machines that run the API server. */
  serverAddresses: pulumi.Input<string>[];
  installCrds: InstallCrds;
}

/** Everything that runs on the cluster, and how it is wired. Reads from top to bottom as the order of `up`. */
export class Platform extends pulumi.ComponentResource {
  /** Address of the way in, known once it serves. */
  readonly ingressAddress: pulumi.Output<string>;
  /** The CA certificate that the endpoints' certificates are signed by, PEM. */
  readonly ca: pulumi.Output<string>;
  /** Name to URL, each known once it is served. */
  readonly endpoints: Record<string, pulumi.Output<string>>;
  /** Names that resolve to the ingress. */
  readonly hostnames: string[];

  constructor(name: string, args: PlatformArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:stacks:Platform", name, {}, opts);
    const { artifacts, settings, serverAddresses, installCrds } = args;
    const here = { parent: this };

    const foundation = new Foundation("foundation", { artifacts, serverAddresses, installCrds }, here);
    const ca = new LocalCa("ca", { commonName: `Groundwork ${pulumi.getStack()}` }, here);

    const app = new PlatformNamespace("app", { foundation, tier: "application", quota: appQuota(settings) }, here);
    const operator = new PostgresOperator("cnpg", { foundation, serves: [app] }, here);
    const database = new Postgres(
      "app-db",
      {
        operator,
        namespace: app,
        instances: settings.database.instances,
        storage: settings.database.storage,
        resources: settings.database.resources,
        parameters: settings.database.parameters,
        protect: settings.protect,
      },
      here,
    );
    const api = new Api("api", { namespace: app, database: database.endpoint, replicas: settings.api.replicas }, here);

    const apiHost = `api.${settings.domain}`;
    const edge = new Traefik(
      "traefik",
      {
        foundation,
        issuer: ca,
        routes: [{ host: apiHost, endpoint: api.endpoint }],
        replicas: settings.edge.replicas,
      },
      here,
    );

    this.ingressAddress = edge.address;
    this.ca = ca.pem;
    this.hostnames = [apiHost];
    this.endpoints = { api: edge.urls[`${apiHost}/`]!.apply((url) => url.replace(/\/$/, "")) };
    this.registerOutputs({ ingressAddress: this.ingressAddress, endpoints: this.endpoints });
  }

  /** How each of the platform's components is probed; `address` is the ingress's, once known. */
  static report(settings: Settings, address: string): ComponentReport[] {
    const api = `https://api.${settings.domain}`;
    return [
      {
        name: "postgres operator",
        artifacts: ["cloudnative-pg"],
        probe: { kind: "workload", resource: "deployments", namespace: "cnpg-system", name: "cnpg-controller-manager" },
      },
      {
        name: "postgres app-db",
        artifacts: ["postgresql"],
        probe: {
          kind: "condition",
          path: "/apis/postgresql.cnpg.io/v1/namespaces/app/clusters/app-db",
          type: "Ready",
        },
      },
      {
        name: "traefik",
        artifacts: ["traefik"],
        probe: { kind: "workload", resource: "deployments", namespace: "traefik", name: "traefik" },
      },
      { name: "api", artifacts: ["api"], probe: { kind: "https", url: `${api}/readyz`, address }, url: api },
    ];
  }
}

/**
 * Room for the application's namespace: all pods, as many again while they are replaced, and the jobs that set up
 * a database instance.
 */
function appQuota({ database, api }: Settings): NamespaceQuota {
  const databasePods = 2 * database.instances + 1;
  const apiPods = 2 * api.replicas + 1;
  const memory = databasePods * mebibytes(database.memory) + apiPods * 192;
  return {
    pods: databasePods + apiPods,
    requests: { cpu: `${databasePods + apiPods}`, memory: `${memory}Mi` },
    limits: { cpu: `${2 * (databasePods + apiPods)}`, memory: `${memory}Mi` },
    storage: `${(database.instances + 1) * mebibytes(database.storage)}Mi`,
    localDisk: `${databasePods * 1024 + apiPods * 64}Mi`,
  };
}

const mebibytes = (size: Bytes): number => Number.parseInt(size, 10) * (size.endsWith("Gi") ? 1024 : 1);
