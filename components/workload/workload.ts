import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { grantAccess, makeAccount } from "./access";
import { connect } from "./connect";
import { Client, Endpoint } from "./endpoint";
import { PlatformNamespace } from "./namespace";
import { defaultIdentity, digest, planPod, PodPlan, volumeName } from "./pod";
import { planOpenPorts } from "./policy";
import { ApiAccess, ContainerArgs, FileMount, Identity, Probes, Tier } from "./types";
import { knownName } from "./known-name";
import { AgentPod, authorityOf, injectLabel, planAgent, planLoginToken, VaultAccess } from "./vault";

/** What every kind of workload takes; `C` is what it asks of its containers. */
export interface WorkloadArgs<C extends ContainerArgs> {
  namespace: PlatformNamespace;
  container: C;
  /** More containers of the same pod, by name. @default none */
  sidecars?: Record<string, C>;
  /** Run before the containers, in this order. @default none */
  initContainers?: Record<string, ContainerArgs>;
  /** What the pods connect to: dependency, policies, credentials and authorities come from here. @default nothing */
  uses?: Endpoint[];
  /** Files of the graph's own making, in one folder; the pods are replaced when they change. No secrets. @default none */
  config?: { path: string; files: Record<string, pulumi.Input<string>> };
  /** Secrets and ConfigMaps shown to every container. @default none */
  files?: FileMount[];
  /** Values whose change replaces the pods, where what they mount is not watched. No secrets. @default none */
  restartOn?: Record<string, pulumi.Input<string>>;
  /** Permissions at the API server; without them the pods have no token and no way there. @default none */
  access?: ApiAccess;
  /**
   * Files out of Vault, rendered by its agent to /vault/secrets. The pods log in by an account of the workload's name,
   * with a token that is good for Vault only and that none of the workload's own containers sees. @default none
   */
  vault?: VaultAccess;
  /** Container ports that accept connections from outside the cluster. @default none */
  openPorts?: number[];
  /** @default 65532:65532 */
  identity?: Identity;
  /** @default the namespace's */
  tier?: Tier;
  /** Seconds between the signal to stop and the kill. @default 30 */
  gracePeriod?: number;
}

/** What the kinds share: identity, configuration, permissions, connections, and from them the plan of the pod. */
export abstract class Workload extends pulumi.ComponentResource {
  readonly namespace: PlatformNamespace;
  /** Labels that select the pods. */
  readonly pods: Record<string, string>;
  /** The pods as the side that opens connections. */
  readonly client: Client;
  /** Options of the resource that makes the pods. */
  protected readonly podOptions: pulumi.CustomResourceOptions;
  /** Options of everything else in the namespace. */
  protected readonly childOptions: pulumi.CustomResourceOptions;
  private readonly plan: Omit<PodPlan, "restartPolicy" | "claims">;
  private readonly agent?: { vault: VaultAccess; pod: Omit<AgentPod, "ends"> };

  protected constructor(
    kind: string,
    name: string,
    args: WorkloadArgs<ContainerArgs & { probes?: Probes }>,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super(`groundwork:workload:${kind}`, name, {}, opts);
    this.namespace = args.namespace;
    this.pods = { "app.kubernetes.io/name": name };
    this.client = { name, namespace: args.namespace, pods: this.pods };
    this.childOptions = { parent: this, deletedWith: args.namespace.resource };

    const access = args.access && grantAccess(name, args.namespace, args.access, this.childOptions);
    const uses = [...(args.uses ?? []), ...(access ? [args.namespace.foundation.kubeApi] : [])];
    const toVault = args.vault && connect(this.client, args.vault.endpoint, this.childOptions);
    const connections = [
      ...uses.map((endpoint) => connect(this.client, endpoint, this.childOptions)),
      ...(toVault ? [toVault] : []),
    ];
    const account = args.vault && !access ? makeAccount(name, args.namespace, this.childOptions) : undefined;
    const config = args.config && this.createConfig(name, args.config);
    const doors = args.openPorts
      ? [
          new k8s.networking.v1.NetworkPolicy(
            `${name}-from-anywhere`,
            planOpenPorts(`${name}-from-anywhere`, this.client, args.openPorts, "anywhere"),
            this.childOptions,
          ),
        ]
      : [];

    this.plan = {
      selector: this.pods,
      labels: {
        ...this.pods,
        "app.kubernetes.io/part-of": "groundwork",
        "groundwork/tier": args.tier ?? args.namespace.tier,
        ...(args.vault && injectLabel),
      },
      annotations: {
        ...connections.map(({ annotations }) => annotations).reduce((all, some) => ({ ...all, ...some }), {}),
        ...config?.annotations,
        ...hashed(args.restartOn ?? {}),
      },
      identity: args.identity ?? defaultIdentity,
      priorityClass: args.namespace.foundation.priorityClass[args.tier ?? args.namespace.tier],
      serviceAccount: access?.serviceAccount ?? account,
      automount: access !== undefined,
      gracePeriod: args.gracePeriod ?? 30,
      containers: { [name]: args.container, ...args.sidecars },
      initContainers: args.initContainers,
      volumes: args.vault && [planLoginToken(args.vault.audience)],
      files: [...(args.files ?? []), ...(config ? [config.mount] : []), ...connections.flatMap(({ files }) => files)],
    };
    if (args.vault && toVault) {
      const { identity, gracePeriod } = this.plan;
      const { path, file } = authorityOf(args.vault.endpoint, toVault.files);
      this.agent = {
        vault: args.vault,
        pod: { identity, gracePeriod, authority: { volume: volumeName(path), path, file } },
      };
    }
    this.podOptions = {
      ...this.childOptions,
      // No value of a policy or a binding goes into a pod, yet a pod that starts before them fails and backs off.
      dependsOn: [...connections.flatMap(({ policies }) => policies), ...doors, ...(access?.grants ?? [])],
    };
  }

  /** The pod template of this workload. */
  protected podTemplate(kind: Pick<PodPlan, "restartPolicy" | "claims"> = {}): k8s.types.input.core.v1.PodTemplateSpec {
    if (!this.agent) return planPod({ ...this.plan, ...kind });
    const ends = (kind.restartPolicy ?? "Always") !== "Always";
    const agent = planAgent(this.agent.vault, { ...this.agent.pod, ends });
    return planPod({ ...this.plan, ...kind, annotations: { ...this.plan.annotations, ...agent } });
  }

  private createConfig(name: string, config: NonNullable<WorkloadArgs<ContainerArgs>["config"]>) {
    const map = new k8s.core.v1.ConfigMap(
      `${name}-config`,
      { metadata: { name: `${name}-config`, namespace: this.namespace.name }, data: config.files },
      this.childOptions,
    );
    const mount: FileMount = {
      path: config.path,
      from: { configMap: knownName(`${name}-config`, map) },
      keys: Object.keys(config.files),
    };
    return { mount, annotations: hashed({ config: pulumi.jsonStringify(config.files) }) };
  }
}

/** In a preview a custom resource has no uid while its definition is not installed: then nobody knows the digest either. */
function digestOf(value: string | undefined): string {
  return value === undefined ? (pulumi.unknown as unknown as string) : digest(value);
}

/** Annotations that differ when the values do, and say nothing about them. */
function hashed(values: Record<string, pulumi.Input<string>>): Record<string, pulumi.Output<string>> {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [`groundwork/${key}-sha256`, pulumi.output(value).apply(digestOf)]),
  );
}
