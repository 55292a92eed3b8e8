import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import {
  bindCluster,
  Client,
  connect,
  Endpoint,
  Foundation,
  HardenedDeployment,
  knownName,
  NamespaceRef,
  PlatformNamespace,
  ResourceNeeds,
} from "../workload";
import { clusterRules, ownNamespaceRules, servedRules, solverRules } from "./cert-manager-access";
import { AcmeConfig, certManagerPorts, planController } from "./cert-manager-config";
import { makeWebhook } from "./cert-manager-webhook";
import { planInternetEgress } from "./acme";
import { makeWebhookAuthority } from "./webhook-authority";

export interface CertManagerArgs {
  foundation: Foundation;
  /** Namespaces in which it may keep certificates; `issueCertificate` adds the ones where it is asked to. @default [] */
  serves?: NamespaceRef[];
  /**
   * Issuers that speak ACME will be used: the controller may reach the internet on 53, 80 and 443. `by` says how they prove
   * names (HTTP-01 unless told otherwise), `nameservers` (`address:port`) whom to ask whether a DNS-01 record has arrived, in
   * place of the zone's own. @default no ACME
   */
  acme?: Pick<AcmeConfig, "by" | "nameservers">;
  /** Of each of the two programs. @default 20m CPU and 64Mi requested, half a core and 192Mi at most */
  resources?: ResourceNeeds;
}

/** The namespace has this name in upstream's manifests and documents. */
const namespaceName = "cert-manager";
const configFolder = "/etc/cert-manager";

const defaultResources: ResourceNeeds = {
  requests: { cpu: "20m", memory: "64Mi", "ephemeral-storage": "16Mi" },
  limits: { cpu: "500m", memory: "192Mi", "ephemeral-storage": "64Mi" },
};

/** cert-manager: keeps certificates in Secrets and renews them, signed by the issuers that `localIssuer` and others make. */
export class CertManager extends pulumi.ComponentResource {
  readonly namespace: PlatformNamespace;
  /** Known once the controller and its webhook answer. */
  readonly ready: pulumi.Output<string>;
  /** The controller's pods, as the side that opens connections to authorities. */
  readonly client: Client;
  /** Prometheus metrics: days left, renewals, requests to ACME servers. */
  readonly metrics: Endpoint;
  private readonly name: string;
  private readonly serviceAccount: pulumi.Output<string>;
  private readonly served = new Map<string, pulumi.Resource[]>();

  constructor(name: string, args: CertManagerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:pki:CertManager", name, {}, opts);
    this.name = name;
    const { foundation } = args;
    this.namespace = new PlatformNamespace(
      namespaceName,
      {
        foundation,
        tier: "platform",
        quota: { pods: 6, requests: { cpu: "500m", memory: "512Mi" }, limits: { cpu: "4", memory: "2Gi" } },
      },
      { parent: this },
    );
    const inNamespace = { parent: this, deletedWith: this.namespace.resource };
    const definitions = foundation.installCrds(`${name}-crds`, foundation.artifacts.manifest("cert-manager-crds"), {
      parent: this,
    });
    const resources = args.resources ?? defaultResources;
    const controller = this.createController(name, args, resources, definitions);
    this.client = controller.client;
    this.metrics = controller.endpoint("metrics");
    // The kit names a workload's account after the workload.
    this.serviceAccount = knownName(name, controller);

    const cluster = bindCluster(name, namespaceName, clusterRules(args.acme !== undefined), { parent: this });
    for (const namespace of args.serves ?? []) this.serve(namespace);
    if (args.acme) new k8s.networking.v1.NetworkPolicy(`${name}-acme`, planInternetEgress(this.client), inNamespace);

    const authority = makeWebhookAuthority(`${name}-webhook-ca`, this.namespace, inNamespace);
    const webhook = makeWebhook(
      `${name}-webhook`,
      { namespace: this.namespace, resources, authority, configFolder },
      { parent: this },
    );
    this.ready = pulumi
      .all([controller.ready, webhook.ready, definitions, ...[...cluster, ...webhook.doors].map(({ urn }) => urn)])
      .apply(([uid, other]) => `${uid} ${other}`);
    this.registerOutputs({ ready: this.ready });
  }

  /** Lets it keep certificates in a namespace, and answer HTTP-01 challenges there. What needs that comes after the result. */
  serve(namespace: NamespaceRef, solves = false): pulumi.Resource[] {
    const key = `${this.name}-${solves ? "solves" : "serves"}-${namespace.label}`;
    const known = this.served.get(key);
    if (known) return known;
    const role = new k8s.rbac.v1.Role(
      key,
      { metadata: { name: key, namespace: namespace.name }, rules: solves ? solverRules : servedRules() },
      { parent: this },
    );
    const binding = this.bind(key, namespace, knownName(key, role), { parent: this });
    const made = [binding, ...(solves ? this.serve(namespace) : [])];
    this.served.set(key, made);
    return made;
  }

  /** Lets it connect to an authority, once for all issuers that are there. What needs that comes after the result. */
  reach(endpoint: Endpoint): pulumi.Resource[] {
    const key = `to-${endpoint.namespace.label}-${endpoint.name}`;
    const known = this.served.get(key);
    if (known) return known;
    // Issuers have the authority in their own caBundle: the controller needs no copy to mount.
    const bare = { ...endpoint, authority: undefined };
    const { policies } = connect(this.client, bare, { parent: this, deletedWith: this.namespace.resource });
    this.served.set(key, policies);
    return policies;
  }

  /** Lets it ask the API server for tokens of an account in its own namespace, to log in elsewhere with. */
  mayAskTokensOf(account: string, opts: pulumi.CustomResourceOptions): pulumi.Resource[] {
    const name = `${this.name}-token-of-${account}`;
    const rules = [
      { apiGroups: [""], resources: ["serviceaccounts/token"], resourceNames: [account], verbs: ["create"] },
    ];
    const role = new k8s.rbac.v1.Role(name, { metadata: { name, namespace: this.namespace.name }, rules }, opts);
    return [this.bind(name, this.namespace, knownName(name, role), opts)];
  }

  private bind(
    name: string,
    namespace: NamespaceRef,
    role: pulumi.Output<string>,
    opts: pulumi.CustomResourceOptions,
  ): pulumi.Resource {
    return new k8s.rbac.v1.RoleBinding(
      name,
      {
        metadata: { name, namespace: namespace.name },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: role },
        subjects: [this.subject(this.serviceAccount)],
      },
      opts,
    );
  }

  private createController(
    name: string,
    { foundation, acme }: CertManagerArgs,
    resources: ResourceNeeds,
    definitions: pulumi.Input<string>,
  ): HardenedDeployment {
    const { artifacts } = foundation;
    const solverImage = acme && artifacts.image("cert-manager-acmesolver").ref;
    const config = planController(namespaceName, solverImage ? { ...acme, solverImage } : undefined);
    const alive = { http: { path: "/livez", port: certManagerPorts.healthz } };
    return new HardenedDeployment(
      name,
      {
        namespace: this.namespace,
        config: { path: configFolder, files: { "controller.yaml": config } },
        access: { rules: ownNamespaceRules },
        restartOn: { definitions },
        container: {
          image: artifacts.image("cert-manager-controller"),
          command: ["/app/cmd/controller/controller"],
          args: [`--config=${configFolder}/controller.yaml`],
          ports: { metrics: certManagerPorts.metrics, healthz: certManagerPorts.healthz },
          resources,
          probes: { startup: alive, liveness: alive, readiness: alive },
        },
        service: { ports: { metrics: certManagerPorts.metrics } },
        transform: {
          // Two controllers at once would each ask for the same certificate; renewals can wait for seconds.
          deployment: (deployment) => withStrategy(deployment, { type: "Recreate" }),
        },
      },
      { parent: this },
    );
  }

  private subject(account: pulumi.Input<string>) {
    return { kind: "ServiceAccount", name: account, namespace: namespaceName };
  }
}

function withStrategy(
  deployment: k8s.apps.v1.DeploymentArgs,
  strategy: k8s.types.input.apps.v1.DeploymentStrategy,
): k8s.apps.v1.DeploymentArgs {
  const spec = deployment.spec as k8s.types.input.apps.v1.DeploymentSpec;
  return { ...deployment, spec: { ...spec, strategy } };
}
