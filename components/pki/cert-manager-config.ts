import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { hostOf } from "../workload";

/** Ports of cert-manager's own pods. */
export const certManagerPorts = { metrics: 9402, healthz: 9403, webhook: 8443, webhookHealthz: 6080 };

/** What acme issuers need of the controller. */
export interface AcmeConfig {
  /** Image of the pods that answer HTTP-01 challenges. */
  solverImage: string;
  /**
   * DNS servers, `address:port`, that are asked whether a DNS-01 record has arrived, without the zone's own servers, and
   * where an HTTP-01 name leads. @default the cluster's DNS and the zone's own servers
   */
  nameservers?: string[];
  /** How names are proved. @default "http01" */
  by?: "http01" | "dns01";
}

/** Loops without which the controller runs as well: for kinds of issuers that are not used here, and Ingress annotations. */
const unused = ["-ingress-shim", "-certificaterequests-issuer-venafi", "-certificaterequests-issuer-selfsigned"];

/** The controller's ControllerConfiguration (v1alpha1), as JSON, which is YAML. */
export function planController(namespace: string, acme?: AcmeConfig): string {
  return JSON.stringify({
    apiVersion: "controller.config.cert-manager.io/v1alpha1",
    kind: "ControllerConfiguration",
    clusterResourceNamespace: namespace,
    // A certificate takes about a dozen calls: upstream's 20 a second would let thirty of them wait for most of a minute.
    kubernetesAPIQPS: 100,
    kubernetesAPIBurst: 200,
    // A single replica, which is replaced and never doubled.
    leaderElectionConfig: { enabled: false },
    controllers: ["*", ...unused],
    // The Secret goes with its Certificate, so that nothing is left of what the graph removes.
    enableCertificateOwnerRef: true,
    clusterIssuerAmbientCredentials: false,
    // The edge leads all HTTP-01 challenges to the same Service, so it is one at a time; of the others, upstream's number.
    maxConcurrentChallenges: acme?.by === "dns01" ? 60 : 1,
    metricsListenAddress: `0.0.0.0:${certManagerPorts.metrics}`,
    healthzListenAddress: `0.0.0.0:${certManagerPorts.healthz}`,
    logging: { format: "json" },
    ...(acme && {
      acmeHTTP01Config: {
        solverImage: acme.solverImage,
        solverRunAsNonRoot: true,
        // Its own try before the authority's.
        ...(acme.nameservers && { solverNameservers: acme.nameservers }),
        solverResourceRequestCPU: "10m",
        solverResourceRequestMemory: "32Mi",
        solverResourceLimitsCPU: "100m",
        solverResourceLimitsMemory: "64Mi",
      },
      acmeDNS01Config: {
        ...(acme.nameservers && { recursiveNameservers: acme.nameservers, recursiveNameserversOnly: true }),
        checkRetryPeriod: "10s",
      },
    }),
  });
}

/** The webhook's WebhookConfiguration (v1alpha1). It serves with a certificate of a week that it signs itself. */
export function planWebhook(namespace: string, service: string, secret: string): string {
  const host = hostOf({ service, namespace: { label: namespace, name: namespace } });
  return JSON.stringify({
    apiVersion: "webhook.config.cert-manager.io/v1alpha1",
    kind: "WebhookConfiguration",
    securePort: certManagerPorts.webhook,
    healthzPort: certManagerPorts.webhookHealthz,
    metricsListenAddress: "0",
    logging: { format: "json" },
    tlsConfig: {
      minTLSVersion: "VersionTLS12",
      dynamic: { secretNamespace: namespace, secretName: secret, dnsNames: [host] },
    },
  });
}

/** Where the API server calls the webhook, and whom it trusts there. */
interface WebhookDoor {
  namespace: pulumi.Input<string>;
  service: pulumi.Input<string>;
  /** PEM. */
  ca: pulumi.Input<string>;
}

type ValidatingWebhook = k8s.types.input.admissionregistration.v1.ValidatingWebhook;

function planDoor(path: string, door: WebhookDoor) {
  return {
    name: "webhook.cert-manager.io",
    admissionReviewVersions: ["v1"],
    matchPolicy: "Equivalent",
    timeoutSeconds: 10,
    failurePolicy: "Fail",
    sideEffects: "None",
    clientConfig: {
      service: { name: door.service, namespace: door.namespace, path, port: 443 },
      caBundle: pulumi.output(door.ca).apply((pem) => Buffer.from(pem).toString("base64")),
    },
  } satisfies ValidatingWebhook;
}

/** Every object of cert-manager's groups is checked when it is made or changed. */
export const planValidation = (door: WebhookDoor): ValidatingWebhook => ({
  ...planDoor("/validate", door),
  rules: [
    {
      apiGroups: ["cert-manager.io", "acme.cert-manager.io"],
      apiVersions: ["v1"],
      operations: ["CREATE", "UPDATE"],
      resources: ["*/*"],
    },
  ],
});

/** Requests get the name of who made them, which can't be changed from then on. */
export const planMutation = (door: WebhookDoor): k8s.types.input.admissionregistration.v1.MutatingWebhook => ({
  ...planDoor("/mutate", door),
  rules: [
    {
      apiGroups: ["cert-manager.io"],
      apiVersions: ["v1"],
      operations: ["CREATE"],
      resources: ["certificaterequests"],
    },
  ],
});
