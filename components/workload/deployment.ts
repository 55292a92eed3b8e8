import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { Endpoint } from "./endpoint";
import { endpointOf, planDisruptionBudget, planService, ServiceArgs, transformed } from "./serving";
import { ServingContainerArgs, Transform } from "./types";
import { Workload, WorkloadArgs } from "./workload";

export interface HardenedDeploymentArgs extends WorkloadArgs<ServingContainerArgs> {
  /** @default 1 */
  replicas?: number;
  /** The Service in front of the pods. @default all container ports, inside the cluster */
  service?: ServiceArgs;
  transform?: {
    deployment?: Transform<k8s.apps.v1.DeploymentArgs>;
    service?: Transform<k8s.core.v1.ServiceArgs>;
  };
}

/** Pods without a memory of their own, behind a Service. */
export class HardenedDeployment extends Workload {
  /** Known once all replicas are available. */
  readonly ready: pulumi.Output<string>;
  /** Undefined where the container has no ports. */
  readonly service?: k8s.core.v1.Service;
  private readonly args: HardenedDeploymentArgs;

  constructor(name: string, args: HardenedDeploymentArgs, opts?: pulumi.ComponentResourceOptions) {
    super("HardenedDeployment", name, args, opts);
    this.args = args;
    const replicas = args.replicas ?? 1;
    const deployment = new k8s.apps.v1.Deployment(
      name,
      transformed(args.transform?.deployment, {
        metadata: { name, namespace: this.namespace.name, labels: this.pods },
        spec: {
          replicas,
          revisionHistoryLimit: 3,
          progressDeadlineSeconds: 300,
          // The new pod serves before an old one goes, also where there is only one.
          strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
          selector: { matchLabels: this.pods },
          template: this.podTemplate(),
        },
      }),
      this.podOptions,
    );
    new k8s.policy.v1.PodDisruptionBudget(
      `${name}-budget`,
      planDisruptionBudget(name, this.namespace, this.pods, replicas),
      this.childOptions,
    );
    if (args.container.ports) {
      const plan = planService(name, this.namespace, this.pods, args.container.ports, args.service ?? {});
      this.service = new k8s.core.v1.Service(name, transformed(args.transform?.service, plan), this.childOptions);
    }
    this.ready = deployment.metadata.uid;
    this.registerOutputs({ ready: this.ready });
  }

  /** Address of the load balancer, where the Service is one. */
  get loadBalancerAddress(): pulumi.Output<string> {
    if (!this.service) throw new Error("a deployment without ports has no Service");
    return this.service.status.loadBalancer.ingress.apply(
      (ingress) => ingress?.[0]?.ip ?? ingress?.[0]?.hostname ?? "",
    );
  }

  /** What others consume to reach one of the container's ports. */
  endpoint(port: string): Endpoint {
    return endpointOf(this, port, this.args.container.ports ?? {}, this.args.service ?? {}, this.ready);
  }
}
