import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { ImageArtifact } from "../../artifacts/types";
import { issueCertificate, Issuer } from "../pki";
import {
  Endpoint,
  Foundation,
  HardenedDeployment,
  hostOf,
  injectLabel,
  knownName,
  planOpenPorts,
  PlatformNamespace,
  ResourceNeeds,
} from "../workload";

export interface VaultInjectorArgs {
  foundation: Foundation;
  /** The injector runs in Vault's namespace, and its agents go to Vault's endpoint. */
  vault: { endpoint: Endpoint; namespace: PlatformNamespace };
  /** Signs what the API server checks the webhook by; its authority must be known to the graph. */
  issuer: Issuer;
  /** @default 1 */
  replicas?: number;
  /** What becomes of a pod that asks for files while the injector is away: refused, or made without. @default "Fail" */
  failurePolicy?: "Fail" | "Ignore";
  /** @default 10m CPU and 32Mi requested, 250m and 128Mi at most */
  resources?: ResourceNeeds;
}

const port = 8443;
const certificateFolder = "/etc/vault-injector/tls";

const defaultResources: ResourceNeeds = {
  requests: { cpu: "10m", memory: "32Mi", "ephemeral-storage": "16Mi" },
  limits: { cpu: "250m", memory: "128Mi", "ephemeral-storage": "64Mi" },
};

/**
 * Vault Agent Injector (vault-k8s): adds Vault's agent to pods that ask for it, which workloads do by `vault` of their
 * arguments. It never talks to Vault, has no permission to change anything, and its own certificate comes from an issuer.
 */
export class VaultInjector extends pulumi.ComponentResource {
  /** Known once pods that ask get their agent. */
  readonly ready: pulumi.Output<string>;
  /** What the agents run. */
  readonly agentImage: ImageArtifact;

  /** @throws where the graph does not know the issuer's authority: the API server would trust nobody */
  constructor(name: string, args: VaultInjectorArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:secrets:VaultInjector", name, {}, opts);
    const { namespace } = args.vault;
    const { ca } = args.issuer;
    if (!ca)
      throw new Error(`${name} needs an issuer whose authority is known: the API server checks the webhook by it`);
    this.agentImage = args.foundation.artifacts.image("vault");
    const inNamespace = { parent: this, deletedWith: namespace.resource };

    const host = hostOf({ service: name, namespace });
    const { secret } = issueCertificate(
      name,
      { issuer: args.issuer, namespace, dnsNames: [host, `${host}.cluster.local`] },
      inNamespace,
    );
    const injector = this.deploy(name, args, secret, ca);
    const binding = this.letRead(name, namespace);
    const door = new k8s.networking.v1.NetworkPolicy(
      `${name}-from-api-server`,
      planOpenPorts(`${name}-from-api-server`, injector.client, [port], args.foundation.apiServerSources),
      inNamespace,
    );
    const webhook = new k8s.admissionregistration.v1.MutatingWebhookConfiguration(
      name,
      {
        metadata: { name },
        webhooks: [
          planWebhook({
            // Registered once it answers, and away before it stops: in between no pod that asks can be made.
            service: pulumi.all([injector.ready, door.urn, binding.urn]).apply(() => name),
            namespace: namespace.name,
            ca,
            failurePolicy: args.failurePolicy ?? "Fail",
          }),
        ],
      },
      { parent: this },
    );
    this.ready = pulumi.all([injector.ready, webhook.metadata.uid]).apply(([uid, other]) => `${uid} ${other}`);
    this.registerOutputs({ ready: this.ready });
  }

  private deploy(
    name: string,
    args: VaultInjectorArgs,
    secret: pulumi.Output<string>,
    ca: pulumi.Output<string>,
  ): HardenedDeployment {
    const { endpoint, namespace } = args.vault;
    const health = { http: { path: "/health/ready", port, scheme: "HTTPS" as const } };
    return new HardenedDeployment(
      name,
      {
        namespace,
        replicas: args.replicas,
        // An account and the way to the API server; what it may read there is bound below.
        access: {},
        files: [{ path: certificateFolder, from: { secret }, keys: ["tls.crt", "tls.key"] }],
        // It follows the files, but not at once: a new authority must be served before the API server trusts no other.
        restartOn: { authority: ca },
        container: {
          image: args.foundation.artifacts.image("vault-k8s"),
          command: ["/bin/vault-k8s"],
          args: [
            "agent-inject",
            `-listen=:${port}`,
            "-log-format=json",
            `-tls-cert-file=${certificateFolder}/tls.crt`,
            `-tls-key-file=${certificateFolder}/tls.key`,
            "-tls-min-version=tls13",
            `-vault-address=https://${hostOf(endpoint)}:${endpoint.port}`,
            `-vault-image=${this.agentImage.ref}`,
          ],
          ports: { https: port },
          resources: args.resources ?? defaultResources,
          probes: { startup: health, liveness: health, readiness: { ...health, period: 2 } },
        },
        service: { ports: { https: 443 } },
      },
      { parent: this },
    );
  }

  /**
   * It starts with a list of all webhook configurations (upstream's `watchWebhooks`) and takes no certificate before that.
   * It would also patch its own if it made its certificate itself, which it does not here: so it may read only.
   */
  private letRead(name: string, namespace: PlatformNamespace): pulumi.Resource {
    const rules = [
      {
        apiGroups: ["admissionregistration.k8s.io"],
        resources: ["mutatingwebhookconfigurations"],
        verbs: ["get", "list", "watch"],
      },
    ];
    const role = new k8s.rbac.v1.ClusterRole(name, { metadata: { name }, rules }, { parent: this });
    return new k8s.rbac.v1.ClusterRoleBinding(
      name,
      {
        metadata: { name },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: knownName(name, role) },
        subjects: [{ kind: "ServiceAccount", name, namespace: namespace.label }],
      },
      { parent: this },
    );
  }
}

interface WebhookPlan {
  service: pulumi.Input<string>;
  namespace: pulumi.Input<string>;
  /** PEM. */
  ca: pulumi.Input<string>;
  failurePolicy: "Fail" | "Ignore";
}

/**
 * The webhook sees new pods that carry the kit's label, in namespaces whose pods are restricted: every namespace of ours,
 * and none of the cluster's own. Nothing else waits for it, or depends on it.
 */
export function planWebhook(plan: WebhookPlan): k8s.types.input.admissionregistration.v1.MutatingWebhook {
  return {
    name: "vault.hashicorp.com",
    admissionReviewVersions: ["v1"],
    sideEffects: "None",
    matchPolicy: "Equivalent",
    reinvocationPolicy: "Never",
    failurePolicy: plan.failurePolicy,
    timeoutSeconds: 5,
    rules: [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], scope: "Namespaced" }],
    namespaceSelector: { matchLabels: { "pod-security.kubernetes.io/enforce": "restricted" } },
    objectSelector: { matchLabels: injectLabel },
    clientConfig: {
      service: { name: plan.service, namespace: plan.namespace, path: "/mutate", port: 443 },
      caBundle: pulumi.output(plan.ca).apply((pem) => Buffer.from(pem).toString("base64")),
    },
  };
}
