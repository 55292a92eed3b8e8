import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { Endpoint, Foundation, HardenedDeployment, PlatformNamespace, ResourceNeeds } from "../workload";

export interface ExternalSecretsArgs {
  foundation: Foundation;
  /** Namespaces in which Secrets are made: a controller for each, which sees and touches nothing in any other. */
  serves: PlatformNamespace[];
  /** Where the values come from: Vault's endpoint. */
  uses: Endpoint[];
  /** Of each controller. @default 20m CPU and 64Mi requested, half a core and 192Mi at most */
  resources?: ResourceNeeds;
}

const namespaceName = "external-secrets";
const healthPort = 8082;

/** The account in a served namespace as which its controller logs in at the stores: see `vaultStore`. */
export const storeAccount = "external-secrets";

type Rule = k8s.types.input.rbac.v1.PolicyRule;

/**
 * Upstream's controller role for one namespace, without what only the features use that are off here: stores of the whole
 * cluster, pushing secrets, generators.
 */
export const servedRules: Rule[] = [
  {
    apiGroups: ["external-secrets.io"],
    resources: ["externalsecrets", "secretstores"],
    verbs: ["get", "list", "watch", "update", "patch"],
  },
  {
    apiGroups: ["external-secrets.io"],
    resources: ["externalsecrets/status", "externalsecrets/finalizers", "secretstores/status"],
    verbs: ["get", "update", "patch"],
  },
  // Its garbage collector of generated values watches these even where no generator is used.
  { apiGroups: ["generators.external-secrets.io"], resources: ["generatorstates"], verbs: ["get", "list", "watch"] },
  { apiGroups: [""], resources: ["secrets"], verbs: ["get", "list", "watch", "create", "update", "patch", "delete"] },
  { apiGroups: [""], resources: ["serviceaccounts"], verbs: ["get", "list", "watch"] },
  // A token of that one account, for the login at the store.
  {
    apiGroups: [""],
    resources: ["serviceaccounts/token"],
    resourceNames: [storeAccount],
    verbs: ["create"],
  },
  { apiGroups: [""], resources: ["events"], verbs: ["create", "patch"] },
];

const defaultResources: ResourceNeeds = {
  requests: { cpu: "20m", memory: "64Mi", "ephemeral-storage": "8Mi" },
  limits: { cpu: "500m", memory: "192Mi", "ephemeral-storage": "32Mi" },
};

/**
 * External Secrets Operator: makes Secrets of values in Vault, and makes them anew when the values change.
 *
 * Upstream's webhook and cert-controller are left out. The definitions of this version have one version each and need no
 * conversion; what the webhook checks of a store, the controller checks again before it uses it; and the cert-controller would
 * hold rights over webhook configurations and definitions of the whole cluster to no other end than the webhook's certificate.
 */
export class ExternalSecrets extends pulumi.ComponentResource {
  readonly namespace: PlatformNamespace;
  /** Known once all controllers answer. */
  readonly ready: pulumi.Output<string>;
  /** Names of the served namespaces. */
  readonly serves: string[];

  constructor(name: string, args: ExternalSecretsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:secrets:ExternalSecrets", name, {}, opts);
    const { artifacts, installCrds } = args.foundation;
    const count = args.serves.length;
    this.serves = args.serves.map(({ label }) => label);
    this.namespace = new PlatformNamespace(
      namespaceName,
      {
        foundation: args.foundation,
        tier: "platform",
        quota: {
          pods: 2 * count + 1,
          requests: { cpu: `${100 * (count + 1)}m`, memory: `${256 * count}Mi` },
          limits: { cpu: `${count + 1}`, memory: `${512 * count}Mi` },
        },
      },
      { parent: this },
    );
    const definitions = installCrds(`${name}-crds`, artifacts.manifest("external-secrets"), { parent: this });
    const controllers = args.serves.map(
      (served) =>
        new HardenedDeployment(
          `${name}-${served.label}`,
          {
            namespace: this.namespace,
            container: {
              image: artifacts.image("external-secrets"),
              command: ["/bin/external-secrets"],
              args: [
                `--namespace=${served.label}`,
                "--enable-cluster-store-reconciler=false",
                "--enable-cluster-external-secret-reconciler=false",
                "--enable-cluster-push-secret-reconciler=false",
                "--enable-push-secret-reconciler=false",
                "--enable-generator-state=false",
                "--store-requeue-interval=1m",
                "--metrics-addr=0",
                `--live-addr=:${healthPort}`,
                "--zap-time-encoding=rfc3339",
              ],
              resources: args.resources ?? defaultResources,
              probes: {
                startup: { http: { path: "/healthz", port: healthPort } },
                liveness: { http: { path: "/healthz", port: healthPort } },
                readiness: { http: { path: "/healthz", port: healthPort } },
              },
            },
            uses: args.uses,
            access: { elsewhere: [{ namespace: served, rules: servedRules }] },
            restartOn: { definitions },
          },
          { parent: this },
        ),
    );
    this.ready = pulumi.all(controllers.map(({ ready }) => ready)).apply((uids) => uids.join(" "));
    this.registerOutputs({ ready: this.ready });
  }
}
