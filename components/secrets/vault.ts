import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { issueCertificate } from "../pki/certificate";
import { Issuer } from "../pki/issuer";
import {
  Bytes,
  Client,
  connect,
  Endpoint,
  Foundation,
  HardenedStatefulSet,
  knownName,
  PlatformNamespace,
  ResourceNeeds,
} from "../workload";
import { keeperJob, keeperResources, keeperSidecar } from "./keeper";
import { apiTokenFolder, apiTokenVolume, withVolumes } from "./pod-tokens";
import { quotaOf } from "./quota";
import { defaultSizes } from "./settings";
import { VaultAuthorities } from "./vault-authorities";
import { VaultBase } from "./vault-base";
import { VaultBootstrap } from "./vault-bootstrap";
import { listenerNames, planServerConfig, sealSecret, VaultNames, vaultPaths, vaultPorts } from "./vault-config";
import { openToApiServer, serverContainer, withPodName } from "./vault-server";
import { VaultSnapshots } from "./vault-snapshots";

export interface VaultArgs {
  foundation: Foundation;
  /** Signs the certificates of both Vaults' listeners. */
  issuer: Issuer;
  /** Servers, on as many machines. @default 1 */
  replicas?: 1 | 3 | 5;
  /** Volume of each server's data. @default "1Gi" */
  storage?: Bytes;
  /** Volume of each server's audit log, which is rotated. @default "512Mi" */
  auditStorage?: Bytes;
  /** Of each server. @default 100m/192Mi requested, one core/512Mi at most */
  resources?: ResourceNeeds;
  /** Of the bootstrap Vault. @default 50m/128Mi requested, half a core/384Mi at most */
  bootstrapResources?: ResourceNeeds;
  /** Common names that clients may get certificates for, by the PKI role `client`. @default the platform's own */
  clientNames?: string[];
  /** Snapshots, by cron in UTC, and how many of them are kept. @default every six hours, 28 */
  snapshots?: { schedule: string; keep: number };
  /** Refuse to delete the data until the stack says `protect: false`. @default true */
  protect?: boolean;
}

/** The platform's own clients: the API, CloudNativePG's replication user, and the probe of the cache. */
const platformClients = ["api", "streaming_replica", "cache-probe"];

/** Jobs and the injector, which run in the same namespace. */
const room = {
  pods: 12,
  needs: {
    requests: { cpu: "500m", memory: "768Mi", "ephemeral-storage": "256Mi" },
    limits: { cpu: "3", memory: "2Gi", "ephemeral-storage": "1Gi" },
  } satisfies ResourceNeeds,
};

/**
 * Vault: servers on Raft with TLS and an audit log, unsealed by a bootstrap Vault's Transit key, initialised and
 * configured by the keeper. It holds the mounts `kv`, `pki-root`, `pki` and `database`, and the auth methods `kubernetes` and
 * `approle`; who may do what is added by `VaultConfiguration`.
 */
export class Vault extends pulumi.ComponentResource {
  readonly namespace: PlatformNamespace;
  /** HTTPS, by any server: one that is not the leader passes on what it is asked. Known once it is configured. */
  readonly endpoint: Endpoint;
  /** Known once the base configuration stands; the same for as long as the servers are not replaced. */
  readonly ready: pulumi.Output<string>;
  /** The certificate of `pki-root`, PEM: what clients of certificates from `pki` trust. */
  readonly root: pulumi.Output<string>;
  /** The servers as the side that opens connections, for the databases that Vault logs in to. */
  readonly client: Client;
  /** Names in the cluster, for whoever calls it from inside. */
  readonly names: VaultNames;
  /** The account that configuration jobs run as. */
  readonly keeperAccount: pulumi.Output<string>;

  constructor(name: string, args: VaultArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:secrets:Vault", name, {}, opts);
    const { foundation, issuer } = args;
    const replicas = args.replicas ?? 1;
    const protect = args.protect ?? true;
    const sizes = { data: args.storage ?? "1Gi", audit: args.auditStorage ?? "512Mi" } as const;
    const resources = args.resources ?? defaultSizes.primary;
    const volumes = Array.from({ length: replicas }, () => Object.values(sizes)).flat();

    this.namespace = new PlatformNamespace(
      name,
      {
        foundation,
        tier: "platform",
        quota: quotaOf({ count: replicas, containers: [resources, keeperResources] }, [...volumes, sizes.data], room),
      },
      { parent: this },
    );
    const bootstrap = new VaultBootstrap(
      `${name}-bootstrap`,
      { foundation, issuer, primary: this.namespace, resources: args.bootstrapResources, protect },
      { parent: this },
    );

    const names: VaultNames = { set: name, peers: `${name}-peers`, service: name, namespace: this.namespace.label };
    this.names = names;
    const inNamespace = { parent: this, deletedWith: this.namespace.resource };
    const certificate = issueCertificate(
      name,
      { issuer, namespace: this.namespace, dnsNames: listenerNames(names, replicas) },
      { parent: this },
    );
    const set = new HardenedStatefulSet(
      name,
      {
        namespace: this.namespace,
        replicas,
        service: names.peers,
        // They find each other: one that waits for another would keep a restart of all from ending.
        start: "Parallel",
        uses: [bootstrap.endpoint],
        container: serverContainer(foundation, names, resources, {
          ports: { cluster: vaultPorts.cluster },
          configs: [`${vaultPaths.seal}/seal.hcl`],
        }),
        initContainers: {
          wait: keeperJob(foundation, ["wait", "--seal", `${vaultPaths.seal}/seal.hcl`, ...storeArguments]),
        },
        sidecars: { guard: keeperSidecar(foundation, guardArguments) },
        config: { path: vaultPaths.config, files: { "server.hcl": planServerConfig(names, replicas) } },
        files: [
          { path: vaultPaths.certificate, from: { secret: certificate.secret } },
          { path: vaultPaths.seal, from: { secret: sealSecret } },
        ],
        protect,
        claims: {
          data: { path: vaultPaths.data, size: sizes.data },
          audit: { path: vaultPaths.audit, size: sizes.audit },
        },
        access: {},
        transform: { statefulSet: planned },
      },
      { parent: this },
    );
    this.client = set.client;
    const reviews = reviewTokens(name, this.namespace, inNamespace);
    const service = new k8s.core.v1.Service(name, planFront(names, set), inNamespace);
    openToApiServer(set, [vaultPorts.api], { parent: this });
    if (replicas > 1) {
      for (const port of ["api", "cluster"]) {
        const peers: Endpoint = { ...set.endpoint(port), name: `${name}-peers-${port}`, ready: "themselves" };
        connect(set.client, peers, inNamespace);
      }
    }

    const running: Endpoint = {
      ...set.endpoint("api"),
      service: name,
      authority: { from: { secret: certificate.secret }, key: "ca.crt", ...(issuer.ca && { pem: issuer.ca }) },
      ready: pulumi
        .all([set.ready, pulumi.all([service.urn, ...reviews.map(({ urn }) => urn)])] as const)
        .apply(([uid]) => uid),
    };
    const base = new VaultBase(
      `${name}-configure`,
      { names, namespace: this.namespace, endpoint: running, replicas, clients: args.clientNames ?? platformClients },
      { parent: this },
    );
    this.root = base.root;
    this.keeperAccount = base.keeperAccount;
    // Not the job's own identity: it changes with the configuration, and would restart every consumer's pods.
    this.ready = pulumi.all([set.ready, base.ready]).apply(([uid]) => uid);
    this.endpoint = { ...running, ready: this.ready };
    new VaultSnapshots(
      `${name}-snapshots`,
      { vault: this, of: name, storage: sizes.data, protect, ...(args.snapshots ?? {}) },
      { parent: this },
    );
    new VaultAuthorities(`${name}-authorities`, { vault: this }, { parent: this });
    this.registerOutputs({});
  }
}

const storeArguments = ["--store", vaultPaths.store, "--generation", `${vaultPaths.state}/generation`];

const guardArguments = [
  "guard",
  ...["--certificate", `${vaultPaths.certificate}/tls.crt`],
  ...["--audit", `${vaultPaths.audit}/audit.log`],
  ...storeArguments,
];

/** One address for clients, in front of the servers that are unsealed. */
function planFront(names: VaultNames, set: HardenedStatefulSet): k8s.core.v1.ServiceArgs {
  return {
    metadata: { name: names.service, namespace: set.namespace.name },
    spec: { type: "ClusterIP", selector: set.pods, ports: [{ name: "api", port: vaultPorts.api, targetPort: "api" }] },
  };
}

/** The Kubernetes auth method asks the API server whose a token is; the servers' account may do that and nothing else. */
function reviewTokens(
  name: string,
  namespace: PlatformNamespace,
  opts: pulumi.CustomResourceOptions,
): pulumi.CustomResource[] {
  const roleName = `${name}-token-review`;
  const apiGroup = "rbac.authorization.k8s.io";
  const rules = [{ apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] }];
  const cluster = { parent: opts.parent };
  const role = new k8s.rbac.v1.ClusterRole(roleName, { metadata: { name: roleName }, rules }, cluster);
  const binding = new k8s.rbac.v1.ClusterRoleBinding(
    roleName,
    {
      metadata: { name: roleName },
      roleRef: { apiGroup, kind: "ClusterRole", name: knownName(roleName, role) },
      subjects: [{ kind: "ServiceAccount", name, namespace: namespace.name }],
    },
    cluster,
  );
  return [role, binding];
}

/** The guard signals the server, so they see each other's processes; only the server gets the account's token. */
function planned(args: k8s.apps.v1.StatefulSetArgs): k8s.apps.v1.StatefulSetArgs {
  const spec = args.spec as k8s.types.input.apps.v1.StatefulSetSpec;
  const template = spec.template as k8s.types.input.core.v1.PodTemplateSpec;
  const server = (args.metadata as { name: string }).name;
  const state = { name: "state", configMap: { name: "vault-state", optional: true, defaultMode: 0o440 } };
  const pod = withVolumes(withPodName(template.spec as k8s.types.input.core.v1.PodSpec), [
    { volume: apiTokenVolume(), path: apiTokenFolder, containers: [server] },
    { volume: state, path: vaultPaths.state, containers: ["wait", "guard"] },
  ]);
  return {
    ...args,
    spec: { ...spec, template: { ...template, spec: { ...pod, shareProcessNamespace: true } } },
  };
}
