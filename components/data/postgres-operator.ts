import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { bindOperator } from "./operator-access";
import {
  Client,
  connect,
  Foundation,
  ManifestBundle,
  ManifestObject,
  planOpenPorts,
  PlatformNamespace,
  ResourceNeeds,
} from "../workload";

export interface PostgresOperatorArgs {
  foundation: Foundation;
  /** Namespaces in which it may keep clusters: it sees and touches nothing in any other. */
  serves: PlatformNamespace[];
  /** Pods of the operator, of which one works: another takes over within seconds when its machine is lost. @default 1 */
  replicas?: number;
  /** @default 50m CPU and 96Mi requested, 1 core and 256Mi at most */
  resources?: ResourceNeeds;
}

/** The namespace is in upstream's file, and in the names that its certificates carry. */
const namespaceName = "cnpg-system";
const deploymentName = "cnpg-controller-manager";
const webhookPort = 9443;

const defaultResources: ResourceNeeds = {
  requests: { cpu: "50m", memory: "96Mi", "ephemeral-storage": "16Mi" },
  limits: { cpu: "1", memory: "256Mi", "ephemeral-storage": "64Mi" },
};

/** Roles for people, which upstream offers and binds to nobody. */
const rolesForPeople = ["database", "publication", "subscription"].flatMap((kind) => [
  `ClusterRole/cnpg-${kind}-editor-role`,
  `ClusterRole/cnpg-${kind}-viewer-role`,
]);

/** CloudNativePG from its released manifest: what makes and keeps `Postgres` clusters. */
export class PostgresOperator extends pulumi.ComponentResource {
  readonly namespace: PlatformNamespace;
  /** Known once the operator and its webhooks answer. */
  readonly ready: pulumi.Output<string>;
  /** The operator's pods, as the side that opens connections to instances. */
  readonly client: Client;

  constructor(name: string, args: PostgresOperatorArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:data:PostgresOperator", name, {}, opts);
    const { artifacts, kubeApi, apiServerSources, priorityClass } = args.foundation;
    this.namespace = new PlatformNamespace(
      namespaceName,
      {
        foundation: args.foundation,
        tier: "platform",
        quota: { pods: 4, requests: { cpu: "1", memory: "512Mi" }, limits: { cpu: "4", memory: "1Gi" } },
      },
      { parent: this },
    );
    this.client = { name, namespace: this.namespace, pods: { "app.kubernetes.io/name": "cloudnative-pg" } };

    const inNamespace = { parent: this, deletedWith: this.namespace.resource };
    const toApi = connect(this.client, kubeApi, inNamespace);
    const webhooks = new k8s.networking.v1.NetworkPolicy(
      `${name}-webhooks`,
      planOpenPorts("webhooks-from-api-server", this.client, [webhookPort], apiServerSources),
      inNamespace,
    );
    const access = bindOperator(name, this.namespace, args.serves, { parent: this });
    const bundle = new ManifestBundle(
      name,
      {
        manifest: artifacts.manifest("cloudnative-pg"),
        namespace: this.namespace,
        skip: [...rolesForPeople, "ClusterRoleBinding/cnpg-manager-rolebinding"],
        patch: {
          [`Deployment/${deploymentName}`]: (deployment) =>
            hardenOperator(deployment, {
              image: artifacts.image("cloudnative-pg").ref,
              replicas: args.replicas ?? 1,
              resources: args.resources ?? defaultResources,
              priorityClass: priorityClass.platform,
              watches: [this.namespace, ...args.serves].map(({ label }) => label),
            }),
          "MutatingWebhookConfiguration/cnpg-mutating-webhook-configuration": boundWebhooks,
          "ValidatingWebhookConfiguration/cnpg-validating-webhook-configuration": boundWebhooks,
        },
        podsAfter: [...toApi.policies, webhooks, ...access],
      },
      { parent: this },
    );
    new k8s.policy.v1.PodDisruptionBudget(
      `${name}-budget`,
      {
        metadata: { name: deploymentName, namespace: this.namespace.name },
        spec: { maxUnavailable: 1, selector: { matchLabels: this.client.pods } },
      },
      inNamespace,
    );
    this.ready = bundle.ready;
    this.registerOutputs({ ready: this.ready });
  }
}

/** How long the API server waits for a webhook, in seconds: upstream leaves that to the server's default, which is the same today. */
const webhookTimeout = 10;

function boundWebhooks(configuration: ManifestObject): ManifestObject {
  const webhooks = configuration["webhooks"] as object[];
  return { ...configuration, webhooks: webhooks.map((webhook) => ({ timeoutSeconds: webhookTimeout, ...webhook })) };
}

interface Hardening {
  image: string;
  replicas: number;
  resources: ResourceNeeds;
  priorityClass: pulumi.Input<string>;
  /** Names of the namespaces that it looks at. */
  watches: string[];
}

/** The part of upstream's Deployment that is read or changed here. */
interface UpstreamSpec {
  revisionHistoryLimit?: number;
  selector: object;
  template: { spec: { containers: Manager[]; volumes: { name: string; emptyDir?: object }[] } };
}
interface Manager {
  env: { name: string; value?: string }[];
  securityContext: object;
  startupProbe: object;
  readinessProbe: object;
}

const acrossMachines = (labelSelector: object) => ({
  maxSkew: 1,
  topologyKey: "kubernetes.io/hostname",
  whenUnsatisfiable: "ScheduleAnyway",
  labelSelector,
});

/**
 * Upstream's Deployment runs as 10001 without capabilities already. Added here: the pinned image, also as the one that the
 * operator puts into its instances, the namespaces that it looks at, bounds for everything, a priority, and probes that
 * notice a start at once.
 *
 * @throws where upstream's Deployment no longer has the form that this is written for
 */
export function hardenOperator(deployment: ManifestObject, plan: Hardening): ManifestObject {
  const spec = deployment["spec"] as UpstreamSpec;
  const pod = spec.template.spec;
  const [manager, ...others] = pod.containers;
  const ownImage = manager?.env.find(({ name }) => name === "OPERATOR_IMAGE_NAME");
  if (!manager || !ownImage || others.length > 0) {
    throw new Error("CloudNativePG's Deployment has another form than the one that is hardened here");
  }
  ownImage.value = plan.image;
  const hardened = {
    ...manager,
    image: plan.image,
    imagePullPolicy: "IfNotPresent",
    env: [...manager.env, { name: "WATCH_NAMESPACE", value: plan.watches.join(",") }],
    resources: plan.resources,
    securityContext: { ...manager.securityContext, runAsNonRoot: true },
    startupProbe: { ...manager.startupProbe, periodSeconds: 1, failureThreshold: 90 },
    readinessProbe: { ...manager.readinessProbe, periodSeconds: 2 },
  };
  const hardenedPod = {
    ...pod,
    containers: [hardened],
    automountServiceAccountToken: true,
    enableServiceLinks: false,
    priorityClassName: plan.priorityClass,
    ...(plan.replicas > 1 ? { topologySpreadConstraints: [acrossMachines(spec.selector)] } : {}),
    volumes: pod.volumes.map((volume) => (volume.emptyDir ? { ...volume, emptyDir: { sizeLimit: "64Mi" } } : volume)),
  };
  const template = { ...spec.template, spec: hardenedPod };
  return { ...deployment, spec: { ...spec, replicas: plan.replicas, revisionHistoryLimit: 3, template } };
}
