import * as pulumi from "@pulumi/pulumi";
import type { Artifacts } from "../artifacts/types";
import { serves } from "../components/backup";
import { CloudControllers } from "../components/cloud";
import { AdmissionPolicies } from "../components/cluster";
import { EdgeFront, Traefik } from "../components/edge";
import type { CloudAccess } from "../components/host";
import { ClusterAccess } from "../components/identity";
import { LocalCa } from "../components/pki";
import { Foundation, InstallCrds } from "../components/workload";
import { packConfig } from "../policies/config";
import { Application } from "./application";
import type { ComponentReport } from "./report";
import { SecretStores } from "./secret-stores";
import { packSettings, type Settings } from "./settings";
import { Trust } from "./trust";

export interface PlatformArgs {
  artifacts: Artifacts;
  settings: Settings;
  /** Addresses of the machines that run the API server. */
  serverAddresses: pulumi.Input<string>[];
  installCrds: InstallCrds;
  /** A balancer outside of the cluster that people reach the platform by. @default the edge's own address */
  ingress?: EdgeFront;
  /** The cloud that the machines stand in, if they do. */
  cloud?: CloudAccess;
}

/** Everything that runs on the cluster, and how it is wired. Reads from top to bottom as the order of `up`. */
export class Platform extends pulumi.ComponentResource {
  /** Address of the way in, known once it serves. */
  readonly ingressAddress: pulumi.Output<string>;
  /** The CA certificate that the endpoints' certificates are signed by, PEM; empty where a public authority signs them. */
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
    // Pods of the others wait until it has initialised the nodes.
    if (args.cloud) new CloudControllers("cloud", { foundation, cloud: args.cloud, settings: settings.cloud }, here);
    if (settings.admission.enabled) {
      new AdmissionPolicies(
        "admission-policies",
        {
          enforcement: settings.admission.mode,
          levels: settings.policies.enforcement,
          settings: packConfig(packSettings(settings)),
        },
        here,
      );
    }
    const ca = new LocalCa("ca", { commonName: `Groundwork ${pulumi.getStack()}` }, here);
    const trust = settings.certificates.enabled ? new Trust("trust", { foundation, settings, ca }, here) : undefined;
    const application = new Application("application", { foundation, settings, trust }, here);
    new SecretStores("secret-stores", { foundation, settings, trust, serves: [application.namespace] }, here);
    if (settings.access.enabled) this.grantAccess(settings, application);

    const apiHost = `api.${settings.domain}`;
    const edge = new Traefik(
      "traefik",
      {
        foundation,
        issuer: trust?.edge ?? ca,
        routes: [{ host: apiHost, endpoint: application.api }],
        replicas: settings.edge.replicas,
        front: args.ingress,
      },
      here,
    );

    this.ingressAddress = edge.address;
    this.ca = trust ? (trust.edge.ca ?? pulumi.output("")) : ca.pem;
    this.hostnames = [apiHost];
    this.endpoints = { api: edge.urls[`${apiHost}/`]!.apply((url) => url.replace(/\/$/, "")) };
    this.registerOutputs({ ingressAddress: this.ingressAddress, endpoints: this.endpoints });
  }

  private grantAccess({ access }: Settings, { namespace }: Application): void {
    const namespaces = [namespace].filter(({ label }) => access.namespaces.includes(label));
    new ClusterAccess("access", { namespaces, oidcGroupsPrefix: access.oidcGroupsPrefix }, { parent: this });
  }

  /** How each of the platform's components is probed; `address` is the ingress's, once known. */
  static report(settings: Settings, address: string): ComponentReport[] {
    const api = `https://api.${settings.domain}`;
    return [
      ...Trust.report(settings),
      ...Application.report(settings),
      ...SecretStores.report(settings),
      {
        name: "traefik",
        artifacts: ["traefik"],
        probe: { kind: "workload", resource: "deployments", namespace: "traefik", name: "traefik" },
      },
      ...(serves(settings.standby)
        ? [
            {
              name: "api",
              artifacts: ["api"],
              probe: { kind: "https" as const, url: `${api}/readyz`, address },
              url: api,
            },
          ]
        : []),
    ];
  }
}
