import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { Endpoint } from "./endpoint";
import { endpointOf, planDisruptionBudget, planService, transformed } from "./serving";
import { Bytes, ServingContainerArgs, Transform } from "./types";
import { Workload, WorkloadArgs } from "./workload";

/** A volume that each pod of a StatefulSet keeps for itself. */
export interface ClaimArgs {
  path: string;
  size: Bytes;
  /** @default the cluster's default class */
  storageClass?: string;
}

export interface HardenedStatefulSetArgs extends WorkloadArgs<ServingContainerArgs> {
  /** @default 1 */
  replicas?: number;
  /** By name. At least one: without, a Deployment does. */
  claims: Record<string, ClaimArgs>;
  /** Name of the headless Service, where another one is to have the set's. @default the set's name */
  service?: string;
  /** Start all at once, or one after the other. @default "OrderedReady" */
  start?: "OrderedReady" | "Parallel";
  /** Refuse to delete the set, and its data with it; what stands around it can be replaced. @default false */
  protect?: boolean;
  /** Keep the volumes when the StatefulSet is deleted. @default true */
  keepVolumes?: boolean;
  transform?: { statefulSet?: Transform<k8s.apps.v1.StatefulSetArgs> };
}

/** Pods with names and volumes of their own, behind a headless Service (of the same name, unless it is given one). */
export class HardenedStatefulSet extends Workload {
  /** Known once all replicas are ready. */
  readonly ready: pulumi.Output<string>;
  private readonly args: HardenedStatefulSetArgs;

  constructor(name: string, args: HardenedStatefulSetArgs, opts?: pulumi.ComponentResourceOptions) {
    super("HardenedStatefulSet", name, args, opts);
    this.args = args;
    const replicas = args.replicas ?? 1;
    const ports = args.container.ports ?? {};
    const service = args.service ?? name;
    new k8s.core.v1.Service(
      service,
      planService(service, this.namespace, this.pods, ports, { headless: true }),
      this.childOptions,
    );
    new k8s.policy.v1.PodDisruptionBudget(
      `${name}-budget`,
      planDisruptionBudget(name, this.namespace, this.pods, replicas),
      this.childOptions,
    );
    const retention = args.keepVolumes === false ? "Delete" : "Retain";
    const set = new k8s.apps.v1.StatefulSet(
      name,
      transformed(args.transform?.statefulSet, {
        metadata: { name, namespace: this.namespace.name, labels: this.pods },
        spec: {
          replicas,
          serviceName: service,
          revisionHistoryLimit: 3,
          podManagementPolicy: args.start ?? "OrderedReady",
          persistentVolumeClaimRetentionPolicy: { whenDeleted: retention, whenScaled: "Retain" },
          selector: { matchLabels: this.pods },
          template: this.podTemplate({
            claims: Object.fromEntries(Object.entries(args.claims).map(([claim, { path }]) => [claim, path])),
          }),
          volumeClaimTemplates: Object.entries(args.claims).map(([claim, { size, storageClass }]) => ({
            metadata: { name: claim },
            spec: {
              accessModes: ["ReadWriteOnce"],
              storageClassName: storageClass,
              resources: { requests: { storage: size } },
            },
          })),
        },
      }),
      { ...this.podOptions, protect: args.protect },
    );
    this.ready = set.metadata.uid;
    this.registerOutputs({ ready: this.ready });
  }

  /** What others consume to reach one of the container's ports. */
  endpoint(port: string): Endpoint {
    return endpointOf(this, port, this.args.container.ports ?? {}, {}, this.ready);
  }
}
