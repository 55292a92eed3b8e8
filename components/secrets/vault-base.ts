import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { Endpoint, HardenedJob, knownName, mountRoot, PlatformNamespace } from "../workload";
import { keeperJob } from "./keeper";
import {
  apiTokenFolder,
  apiTokenVolume,
  keeperAudience,
  loginTokenFolder,
  loginTokenVolume,
  withVolumes,
} from "./pod-tokens";
import { nodeAddress, serviceAddress, VaultNames } from "./vault-config";
import { VaultDocument } from "./vault-document";

export interface VaultBaseArgs {
  names: VaultNames;
  namespace: PlatformNamespace;
  /** The servers, initialised or not. */
  endpoint: Endpoint;
  replicas: number;
  /** Common names that the PKI role `client` may issue. */
  clients: string[];
}

/**
 * What the keeper makes in the primary's namespace: the Secret with the recovery keys, and ConfigMaps with the count of
 * initialisations that were given up and with the root certificate.
 */
export const baseObjects = { recovery: "vault-recovery", state: "vault-state", authority: "vault-authority" } as const;

/** Accounts that log in to Vault as something of the platform's own; all in Vault's namespace. */
export const vaultAccounts = { keeper: "vault-keeper", snapshots: "vault-snapshots" } as const;

/** Where jobs of the keeper find their document. */
const documentFolder = "/etc/keeper";

/** Initialises Vault, and gives it its audit log, mounts, auth methods and authorities: one job, which can be run again. */
export class VaultBase extends pulumi.ComponentResource {
  /** Known once everything stands; another one at each run. */
  readonly ready: pulumi.Output<string>;
  /** The certificate of `pki-root`, PEM: what clients of certificates from `pki` trust. */
  readonly root: pulumi.Output<string>;
  readonly keeperAccount: pulumi.Output<string>;

  constructor(name: string, args: VaultBaseArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:secrets:VaultBase", name, {}, opts);
    const { names, namespace, endpoint } = args;
    const account = new k8s.core.v1.ServiceAccount(
      vaultAccounts.keeper,
      { metadata: { name: vaultAccounts.keeper, namespace: namespace.name }, automountServiceAccountToken: false },
      { parent: this, deletedWith: namespace.resource },
    );
    this.keeperAccount = knownName(vaultAccounts.keeper, account);
    const platform = {
      address: serviceAddress(names),
      nodes: Array.from({ length: args.replicas }, (_, node) => nodeAddress(names, node)),
      namespace: names.namespace,
      audience: keeperAudience,
      accounts: { base: name, ...vaultAccounts },
      ...baseObjects,
    };
    const job = new HardenedJob(
      name,
      {
        namespace,
        uses: [endpoint],
        container: keeperJob(namespace.foundation, [
          ...configureArguments("base", endpoint, names),
          ...["--platform", `${documentFolder}/platform.json`],
        ]),
        config: {
          path: documentFolder,
          files: {
            "document.json": JSON.stringify(planBaseDocument(args.clients), null, 2),
            "platform.json": JSON.stringify(platform, null, 2),
          },
        },
        access: { rules: baseRules() },
        // The first start waits for an election and for the servers to unseal themselves.
        deadline: 600,
        retries: 6,
        transform: {
          job: (job) =>
            withJobPod(job, (pod) =>
              withVolumes(pod, [
                { volume: apiTokenVolume(), path: apiTokenFolder, containers: [name] },
                { volume: loginTokenVolume(), path: loginTokenFolder, containers: [name] },
              ]),
            ),
        },
      },
      { parent: this },
    );
    this.ready = job.ready;
    // Made by the job, so it is there by then, and public, so it may be read.
    const authority = k8s.core.v1.ConfigMap.get(
      baseObjects.authority,
      job.ready.apply(() => `${names.namespace}/${baseObjects.authority}`),
      { parent: this },
    );
    this.root = authority.data.apply((data: Record<string, string> | undefined) => data?.["ca.crt"] ?? "");
    this.registerOutputs({});
  }
}

/** The keeper's words for applying the document of that name. */
export function configureArguments(document: string, endpoint: Endpoint, names: VaultNames): string[] {
  return [
    "configure",
    ...["--name", document],
    ...["--document", `${documentFolder}/document.json`],
    ...loginArguments(endpoint, names),
  ];
}

/** The keeper's words for logging in at Vault. */
export function loginArguments(endpoint: Endpoint, names: VaultNames): string[] {
  return [
    ...["--address", serviceAddress(names)],
    ...["--ca", `${mountRoot}/${endpoint.mount ?? endpoint.name}-ca/${endpoint.authority?.key ?? "ca.crt"}`],
    ...["--login", `${loginTokenFolder}/token`],
  ];
}

/** What every platform has in Vault from the start. */
export function planBaseDocument(clients: string[]): VaultDocument {
  return {
    pkiRoles: {
      server: {
        allowedDomains: ["svc", "svc.cluster.local"],
        server: true,
        ttl: "24h",
        maxTtl: "2160h",
      },
      client: {
        allowedDomains: clients,
        subdomains: false,
        bareDomains: true,
        // A replication user's name has an underscore.
        enforceHostnames: false,
        client: true,
        ttl: "24h",
        maxTtl: "2160h",
      },
    },
  };
}

/** To create can not be limited by name; to read and to change is. */
function baseRules(): k8s.types.input.rbac.v1.PolicyRule[] {
  return [
    { apiGroups: [""], resources: ["secrets", "configmaps"], verbs: ["create"] },
    { apiGroups: [""], resources: ["secrets"], resourceNames: [baseObjects.recovery], verbs: ["get", "patch"] },
    {
      apiGroups: [""],
      resources: ["configmaps"],
      resourceNames: [baseObjects.state, baseObjects.authority],
      verbs: ["get", "patch"],
    },
  ];
}

/** A job with its pod changed. */
export function withJobPod(
  job: k8s.batch.v1.JobArgs,
  change: (pod: k8s.types.input.core.v1.PodSpec) => k8s.types.input.core.v1.PodSpec,
): k8s.batch.v1.JobArgs {
  const spec = job.spec as k8s.types.input.batch.v1.JobSpec;
  const template = spec.template as k8s.types.input.core.v1.PodTemplateSpec;
  const pod = change(template.spec as k8s.types.input.core.v1.PodSpec);
  return { ...job, spec: { ...spec, template: { ...template, spec: pod } } };
}

/** A job on a timetable with annotations, and with its pod changed. */
export function withCronJobPod(
  cronJob: k8s.batch.v1.CronJobArgs,
  annotations: Record<string, string>,
  change: (pod: k8s.types.input.core.v1.PodSpec) => k8s.types.input.core.v1.PodSpec,
): k8s.batch.v1.CronJobArgs {
  const spec = cronJob.spec as k8s.types.input.batch.v1.CronJobSpec;
  const job = spec.jobTemplate as k8s.types.input.batch.v1.JobTemplateSpec;
  const jobSpec = job.spec as k8s.types.input.batch.v1.JobSpec;
  const template = jobSpec.template as k8s.types.input.core.v1.PodTemplateSpec;
  const pod = change(template.spec as k8s.types.input.core.v1.PodSpec);
  return {
    ...cronJob,
    metadata: { ...(cronJob.metadata as object), annotations },
    spec: { ...spec, jobTemplate: { ...job, spec: { ...jobSpec, template: { ...template, spec: pod } } } },
  };
}
