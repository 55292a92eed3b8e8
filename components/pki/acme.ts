import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { Client } from "../workload";

/** Let's Encrypt's directories: staging has generous limits and a root that nobody trusts. */
export const acmeServers = {
  "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
  "letsencrypt-prod": "https://acme-v02.api.letsencrypt.org/directory",
} as const;

/** A key of a Secret in the namespace cert-manager, which the operator puts there: the graph never sees it. */
export interface SecretKey {
  name: string;
  key: string;
}

/** Proves a name by a TXT record, with dynamic updates (RFC 2136) signed by TSIG. */
export interface Rfc2136 {
  /** DNS server that takes the updates, `address:port`. */
  nameserver: string;
  tsigKeyName: string;
  /** @default "HMACSHA256" */
  tsigAlgorithm?: "HMACSHA256" | "HMACSHA512";
  tsigSecret: SecretKey;
}

/** How a name is proved to be ours. */
export type AcmeSolver =
  /** By an answer on port 80 under the name, which the edge leads to. */
  | { http01: object }
  /** By a record in the name's zone; the only way to wildcards and to names that the internet can't reach. */
  | { dns01: { rfc2136: Rfc2136 } | { cloudflare: { apiToken: SecretKey } } };

/** Labels of the pods that answer HTTP-01 challenges, as cert-manager sets them, and the port that they listen on. */
export const challengePods = { pods: { "acme.cert-manager.io/http01-solver": "true" }, port: 8089 };

/** The solver of a ClusterIssuer (`acme.cert-manager.io/v1`, ACMEChallengeSolver). */
export function planSolver(solver: AcmeSolver, priorityClassName: pulumi.Input<string>) {
  if ("dns01" in solver) return { dns01: planDns01(solver.dns01) };
  return {
    http01: {
      ingress: {
        // The Ingress and its Service are cert-manager's way and nobody's here: the edge has a route of its own.
        ingressClassName: "unserved",
        serviceType: "ClusterIP",
        podTemplate: {
          metadata: { labels: { "app.kubernetes.io/part-of": "groundwork" } },
          spec: {
            priorityClassName,
            securityContext: {
              runAsNonRoot: true,
              runAsUser: 65532,
              runAsGroup: 65532,
              seccompProfile: { type: "RuntimeDefault" },
            },
          },
        },
      },
    },
  };
}

function planDns01(solver: Extract<AcmeSolver, { dns01: unknown }>["dns01"]) {
  if ("cloudflare" in solver) return { cloudflare: { apiTokenSecretRef: solver.cloudflare.apiToken } };
  const { nameserver, tsigKeyName, tsigAlgorithm, tsigSecret } = solver.rfc2136;
  return {
    rfc2136: { nameserver, tsigKeyName, tsigAlgorithm: tsigAlgorithm ?? "HMACSHA256", tsigSecretSecretRef: tsigSecret },
  };
}

/** The controller's way to ACME servers, DNS servers and their interfaces, and to the names that it tries itself first. */
export function planInternetEgress(controller: Client): k8s.networking.v1.NetworkPolicyArgs {
  const tcp = [53, 80, 443].map((port) => ({ port, protocol: "TCP" }));
  return {
    metadata: { name: `${controller.name}-acme`, namespace: controller.namespace.name },
    spec: {
      podSelector: { matchLabels: controller.pods },
      policyTypes: ["Egress"],
      egress: [{ to: [{ ipBlock: { cidr: "0.0.0.0/0" } }], ports: [...tcp, { port: 53, protocol: "UDP" }] }],
    },
  };
}
