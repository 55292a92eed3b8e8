import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { Issuer, LocalCa } from "../pki";
import { connect, Endpoint, Foundation, HardenedDeployment, PlatformNamespace, ResourceNeeds } from "../workload";
import { planFiles } from "./files";
import { Route } from "./routes";

export interface TraefikArgs {
  foundation: Foundation;
  /**
   * Signs the certificate that all hosts are served with. The graph's own authority renews it in a run of the graph, which
   * replaces the pods; an Issuer's is renewed by cert-manager and taken up by the running pods.
   */
  issuer: LocalCa | Issuer;
  /** Everything that is reached through the edge. */
  routes: Route[];
  /** @default "traefik" */
  namespace?: string;
  /** @default 1 */
  replicas?: number;
  /** @default 50m CPU and 96Mi requested, 1 core and 256Mi at most */
  resources?: ResourceNeeds;
  /** `Local` keeps clients' addresses, and answers only on nodes that run a pod of the edge. @default "Cluster" */
  externalTrafficPolicy?: "Cluster" | "Local";
  /** A balancer outside of the cluster that people reach the edge by. @default the Service's own address */
  front?: EdgeFront;
}

/** A balancer in front of the edge, which tells clients' addresses by the PROXY protocol. */
export interface EdgeFront {
  address: pulumi.Input<string>;
  /**
   * Networks from which the PROXY protocol is believed, as the edge's pods see them: a node hands connections on under an
   * address of its own. Whoever connects from them can claim any client address.
   */
  trustedProxies: string[];
}

/** Container ports, above 1024 so that no capability is needed to listen. */
const ports = { websecure: 8443, web: 8080, metrics: 9100, ping: 8082 };

const defaultResources: ResourceNeeds = {
  requests: { cpu: "50m", memory: "96Mi", "ephemeral-storage": "16Mi" },
  limits: { cpu: "1", memory: "256Mi", "ephemeral-storage": "64Mi" },
};

/**
 * The one way in: TLS on 443, a redirect to it on 80. Its routes come from the graph as a file, so it needs no access to
 * the API server and sees no Secret but its own certificate.
 */
export class Traefik extends pulumi.ComponentResource {
  readonly namespace: PlatformNamespace;
  /** Address that people reach the edge by, known once it serves. */
  readonly address: pulumi.Output<string>;
  /** Prometheus metrics of the edge itself. */
  readonly metrics: Endpoint;
  /** URL of each route by host and path, known once the edge and what it leads to both serve. */
  readonly urls: Readonly<Record<string, pulumi.Output<string>>>;

  constructor(name: string, args: TraefikArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:edge:Traefik", name, {}, opts);
    this.namespace = new PlatformNamespace(
      args.namespace ?? "traefik",
      { foundation: args.foundation, tier: "platform", quota: planQuota(args.replicas ?? 1) },
      { parent: this },
    );
    const hosts = [...new Set(args.routes.map((route) => route.host))];
    const plan = planFiles(
      name,
      { namespace: this.namespace, hosts, issuer: args.issuer, routes: args.routes },
      { parent: this, deletedWith: this.namespace.resource },
    );
    const deployment = new HardenedDeployment(
      name,
      {
        namespace: this.namespace,
        replicas: args.replicas,
        openPorts: [ports.websecure, ports.web],
        ...plan.pods,
        container: {
          image: args.foundation.artifacts.image("traefik"),
          command: ["/usr/local/bin/traefik"],
          args: planArguments([...planProxies(args.front?.trustedProxies), ...plan.arguments]),
          ports,
          resources: args.resources ?? defaultResources,
          writable: [{ path: "/tmp", size: "16Mi" }],
          probes: {
            startup: { http: { path: "/ping", port: ports.ping } },
            liveness: { http: { path: "/ping", port: ports.ping } },
            readiness: { http: { path: "/ping", port: ports.ping } },
          },
        },
        service: {
          type: "LoadBalancer",
          ports: { websecure: 443, web: 80 },
          externalTrafficPolicy: args.externalTrafficPolicy,
        },
      },
      { parent: this },
    );
    // The edge does not wait for what it leads to: one app that is down must not keep the others from being reached.
    for (const endpoint of new Map(args.routes.map((route) => [route.endpoint.name, route.endpoint])).values()) {
      connect(deployment.client, endpoint, { parent: this });
    }
    const served = plan.certify?.(deployment, deployment.endpoint("web")) ?? deployment.ready;

    this.address = pulumi
      .all([args.front?.address ?? deployment.loadBalancerAddress, deployment.ready, served])
      .apply(([address]) => address);
    this.metrics = this.createMetrics(name, deployment);
    this.urls = Object.fromEntries(
      args.routes.map((route) => {
        const place = `${route.host}${route.path ?? "/"}`;
        return [place, pulumi.all([this.address, route.endpoint.ready]).apply(() => `https://${place}`)];
      }),
    );
    this.registerOutputs({ address: this.address, urls: this.urls });
  }

  /** A Service of its own: the load balancer's must not carry the metrics outside. */
  private createMetrics(name: string, deployment: HardenedDeployment): Endpoint {
    const service = `${name}-metrics`;
    new k8s.core.v1.Service(
      service,
      {
        metadata: { name: service, namespace: this.namespace.name },
        spec: { selector: deployment.pods, ports: [{ name: "metrics", port: ports.metrics, targetPort: "metrics" }] },
      },
      { parent: this, deletedWith: this.namespace.resource },
    );
    return {
      name: service,
      namespace: this.namespace,
      service,
      port: ports.metrics,
      backend: { pods: deployment.pods, port: ports.metrics },
      ready: deployment.ready,
    };
  }
}

/** Traefik's static configuration as flags: one program, nothing read from the cluster, nothing sent home. */
function planArguments(files: string[]): string[] {
  return [
    "--global.checkNewVersion=false",
    "--global.sendAnonymousUsage=false",
    "--api=false",
    `--entryPoints.websecure.address=:${ports.websecure}`,
    "--entryPoints.websecure.http.tls=true",
    `--entryPoints.web.address=:${ports.web}`,
    // The redirect must name the Service's port and not the container's.
    "--entryPoints.web.http.redirections.entryPoint.to=:443",
    "--entryPoints.web.http.redirections.entryPoint.scheme=https",
    "--entryPoints.web.http.redirections.entryPoint.permanent=true",
    `--entryPoints.ping.address=:${ports.ping}`,
    "--ping=true",
    "--ping.entryPoint=ping",
    `--entryPoints.metrics.address=:${ports.metrics}`,
    "--metrics.prometheus=true",
    "--metrics.prometheus.entryPoint=metrics",
    "--metrics.prometheus.addRoutersLabels=true",
    ...files,
    "--accessLog=true",
    "--accessLog.format=json",
    "--accessLog.fields.headers.defaultMode=drop",
    "--log.level=INFO",
    "--log.format=json",
  ];
}

/** The PROXY protocol on both doors, from trusted networks alone: from others it would be a forged client address. */
const planProxies = (networks: string[] = []): string[] =>
  networks.length === 0
    ? []
    : ["websecure", "web"].map((door) => `--entryPoints.${door}.proxyProtocol.trustedIPs=${networks.join(",")}`);

/** Room for the replicas and one more while they are replaced. */
function planQuota(replicas: number) {
  const pods = 2 * replicas + 1;
  return {
    pods,
    requests: { cpu: `${pods * 250}m`, memory: `${pods * 128}Mi` },
    limits: { cpu: `${pods}`, memory: `${pods * 256}Mi` },
    loadBalancers: 1,
  } as const;
}
