import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { bindCluster, HardenedDeployment, planOpenPorts, PlatformNamespace, ResourceNeeds } from "../workload";
import { webhookClusterRules, webhookRules } from "./cert-manager-access";
import { certManagerPorts, planMutation, planValidation, planWebhook } from "./cert-manager-config";
import { WebhookAuthority } from "./webhook-authority";

interface WebhookPlan {
  namespace: PlatformNamespace;
  resources: ResourceNeeds;
  authority: WebhookAuthority;
  configFolder: string;
}

/** cert-manager's webhook, and what the API server calls it by. */
export interface Webhook {
  ready: pulumi.Output<string>;
  /** The configurations at the API server. */
  doors: pulumi.Resource[];
}

/** What checks cert-manager's objects when they are made: the program, its way in, and its registration. */
export function makeWebhook(name: string, plan: WebhookPlan, opts: { parent: pulumi.Resource }): Webhook {
  const { namespace, authority, configFolder } = plan;
  const { artifacts, apiServerSources } = namespace.foundation;
  const config = planWebhook(namespace.label, name, `${name}-ca`);
  const health = (path: string) => ({ http: { path, port: certManagerPorts.webhookHealthz } });
  const webhook = new HardenedDeployment(
    name,
    {
      namespace,
      config: { path: configFolder, files: { "webhook.yaml": config } },
      access: { rules: webhookRules(`${name}-ca`) },
      // It follows the Secret by itself; a new authority must be served before the API server trusts no other.
      restartOn: { authority: authority.pem, secret: authority.secret },
      container: {
        image: artifacts.image("cert-manager-webhook"),
        command: ["/app/cmd/webhook/webhook"],
        args: [`--config=${configFolder}/webhook.yaml`],
        ports: { https: certManagerPorts.webhook, healthz: certManagerPorts.webhookHealthz },
        resources: plan.resources,
        probes: {
          startup: health("/livez"),
          liveness: health("/livez"),
          readiness: { ...health("/healthz"), period: 2 },
        },
      },
      service: { ports: { https: 443 } },
    },
    opts,
  );
  new k8s.networking.v1.NetworkPolicy(
    `${name}-from-api-server`,
    planOpenPorts(`${name}-from-api-server`, webhook.client, [certManagerPorts.webhook], apiServerSources),
    { ...opts, deletedWith: namespace.resource },
  );
  bindCluster(name, namespace.label, webhookClusterRules, opts);
  return { ready: webhook.ready, doors: register(name, plan, webhook, opts) };
}

/** Registered once the webhook answers, and away before it stops: in between nothing of its kind can be made. */
function register(
  name: string,
  { namespace, authority }: WebhookPlan,
  webhook: HardenedDeployment,
  opts: { parent: pulumi.Resource },
): pulumi.Resource[] {
  const service = pulumi.output(webhook.ready).apply(() => name);
  const door = { namespace: namespace.name, service, ca: authority.pem };
  const metadata = { name };
  return [
    new k8s.admissionregistration.v1.ValidatingWebhookConfiguration(
      name,
      { metadata, webhooks: [planValidation(door)] },
      opts,
    ),
    new k8s.admissionregistration.v1.MutatingWebhookConfiguration(
      name,
      { metadata, webhooks: [planMutation(door)] },
      opts,
    ),
  ];
}
