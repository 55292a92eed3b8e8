import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { issueCertificate } from "../pki/certificate";
import { Issuer } from "../pki/issuer";
import {
  Bytes,
  Endpoint,
  Foundation,
  HardenedStatefulSet,
  mountRoot,
  PlatformNamespace,
  ResourceNeeds,
} from "../workload";
import { keeperResources, keeperSidecar, keeperJob } from "./keeper";
import { apiTokenFolder, apiTokenVolume, withVolumes } from "./pod-tokens";
import { quotaOf } from "./quota";
import { defaultSizes } from "./settings";
import { openToApiServer, serverContainer, withPodName } from "./vault-server";
import {
  keeperPort,
  listenerNames,
  planServerConfig,
  sealSecret,
  serviceAddress,
  VaultNames,
  vaultPaths,
} from "./vault-config";

export interface VaultBootstrapArgs {
  foundation: Foundation;
  issuer: Issuer;
  /** Where the primary runs, which gets the Secret with its seal stanza there. */
  primary: PlatformNamespace;
  /** @default 50m/128Mi requested, half a core/384Mi at most */
  resources?: ResourceNeeds;
  /** Refuse to delete it until the stack says otherwise. @default true */
  protect?: boolean;
}

/** Secrets in the bootstrap Vault's own namespace: its unseal key and login, and a copy of its data. */
export const bootstrapSecrets = { keys: "vault-bootstrap-keys", copy: "vault-bootstrap-copy" } as const;

const storage: Bytes = "256Mi";

/**
 * The Vault that unseals the other one: it keeps one Transit key and nothing else. Its keeper initialises and unseals it,
 * and gives the primary a token for that key.
 */
export class VaultBootstrap extends pulumi.ComponentResource {
  readonly namespace: PlatformNamespace;
  /** Known once the Transit key answers and the primary's seal stanza lies in its namespace. */
  readonly endpoint: Endpoint;

  constructor(name: string, args: VaultBootstrapArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:secrets:VaultBootstrap", name, {}, opts);
    const { foundation, issuer, primary } = args;
    const resources = args.resources ?? defaultSizes.bootstrap;
    this.namespace = new PlatformNamespace(
      name,
      {
        foundation,
        tier: "platform",
        quota: quotaOf({ count: 1, containers: [resources, keeperResources] }, [storage]),
      },
      { parent: this },
    );
    const names: VaultNames = { set: name, peers: name, service: name, namespace: this.namespace.label };
    const certificate = issueCertificate(
      name,
      { issuer, namespace: this.namespace, dnsNames: listenerNames(names, 1) },
      { parent: this },
    );
    const set = new HardenedStatefulSet(
      name,
      {
        namespace: this.namespace,
        // In order, a pod that never became ready would not be replaced by a mended one (kubernetes/kubernetes#67250).
        start: "Parallel",
        container: serverContainer(foundation, names, resources, {}),
        initContainers: { prepare: keeperJob(foundation, ["prepare", "--store", vaultPaths.store]) },
        sidecars: { keeper: keeperSidecar(foundation, bootstrapArguments(names, primary)) },
        config: { path: vaultPaths.config, files: { "server.hcl": planServerConfig(names, 1) } },
        files: [{ path: vaultPaths.certificate, from: { secret: certificate.secret } }],
        protect: args.protect ?? true,
        claims: { data: { path: vaultPaths.data, size: storage } },
        access: keeperAccess(primary),
        transform: { statefulSet: planned },
      },
      { parent: this },
    );
    openToApiServer(set, [8200, keeperPort], { parent: this });
    this.endpoint = {
      ...set.endpoint("api"),
      authority: { from: { secret: certificate.secret }, key: "ca.crt", ...(issuer.ca && { pem: issuer.ca }) },
    };
    this.registerOutputs({});
  }
}

function bootstrapArguments(names: VaultNames, primary: PlatformNamespace): string[] {
  return [
    "bootstrap",
    ...["--server-name", `${names.service}.${names.namespace}.svc`],
    ...["--ca", `${vaultPaths.certificate}/ca.crt`],
    ...["--certificate", `${vaultPaths.certificate}/tls.crt`],
    ...["--store", vaultPaths.store],
    ...["--keys", bootstrapSecrets.keys],
    ...["--copy", bootstrapSecrets.copy],
    ...["--seal", `${primary.label}/${sealSecret}`],
    ...["--seal-address", serviceAddress(names)],
    // Where `connect` shows the primary's pods this Vault's authority.
    ...["--seal-ca", `${mountRoot}/${names.service}-ca/ca.crt`],
  ];
}

/**
 * The keeper makes its Secrets itself: were they the graph's, their content would get into the state. To create can not
 * be limited by name, so this much it may in both namespaces; it reads and changes those that are named.
 */
function keeperAccess(primary: PlatformNamespace) {
  const named = (resourceNames: string[]) => [
    { apiGroups: [""], resources: ["secrets"], verbs: ["create"] },
    { apiGroups: [""], resources: ["secrets"], resourceNames, verbs: ["get", "patch"] },
  ];
  return {
    rules: named(Object.values(bootstrapSecrets)),
    elsewhere: [{ namespace: primary, rules: named([sealSecret]) }],
  };
}

/** The keeper signals the server, so they see each other's processes; only the keeper gets the account's token. */
function planned(args: k8s.apps.v1.StatefulSetArgs): k8s.apps.v1.StatefulSetArgs {
  const spec = args.spec as k8s.types.input.apps.v1.StatefulSetSpec;
  const template = spec.template as k8s.types.input.core.v1.PodTemplateSpec;
  const pod = withVolumes(withPodName(template.spec as k8s.types.input.core.v1.PodSpec), [
    { volume: apiTokenVolume(), path: apiTokenFolder, containers: ["keeper"] },
  ]);
  return {
    metadata: {
      ...(args.metadata as object),
      // The keeper copies the data into a Secret, from which it restores a lost volume.
      annotations: { "groundwork/backup-of": "self", "groundwork/backup-retention": "1 copies" },
    },
    spec: { ...spec, template: { ...template, spec: { ...pod, shareProcessNamespace: true } } },
  };
}
