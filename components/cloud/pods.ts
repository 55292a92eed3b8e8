import * as k8s from "@pulumi/kubernetes";
import { ResourceNeeds } from "../workload";

type Toleration = k8s.types.input.core.v1.Toleration;

/** Seconds after which a controller leaves a node that no longer answers; Kubernetes' own default is five minutes. */
const patience = 30;

const gone: Toleration[] = ["not-ready", "unreachable"].map((state) => ({
  key: `node.kubernetes.io/${state}`,
  operator: "Exists",
  effect: "NoExecute",
  tolerationSeconds: patience,
}));

/** For what initialises nodes, and so must run on one that is not initialised yet. */
export const firstTolerations: Toleration[] = [
  { key: "node.cloudprovider.kubernetes.io/uninitialized", operator: "Equal", value: "true", effect: "NoSchedule" },
  { key: "node-role.kubernetes.io/control-plane", operator: "Exists" },
  { key: "CriticalAddonsOnly", operator: "Exists" },
  ...gone,
];

/** For controllers that follow them. */
export const controllerTolerations: Toleration[] = firstTolerations.slice(1);

export const smallResources: ResourceNeeds = {
  requests: { cpu: "10m", memory: "32Mi", "ephemeral-storage": "8Mi" },
  limits: { cpu: "250m", memory: "128Mi", "ephemeral-storage": "32Mi" },
};

/** Changes to the kit's Deployment that a controller of the cloud's needs. */
export function asController(
  deployment: k8s.apps.v1.DeploymentArgs,
  change: Partial<k8s.types.input.core.v1.PodSpec>,
): k8s.apps.v1.DeploymentArgs {
  const spec = deployment.spec as k8s.types.input.apps.v1.DeploymentSpec;
  const template = spec.template as k8s.types.input.core.v1.PodTemplateSpec;
  const pod = template.spec as k8s.types.input.core.v1.PodSpec;
  return {
    ...deployment,
    spec: {
      ...spec,
      // One at a time: two would do everything twice, at an API that counts requests.
      strategy: { type: "Recreate" },
      template: {
        ...template,
        // The machine's own name servers: those of the cluster can't run before the nodes are initialised.
        spec: { ...pod, dnsPolicy: "Default", ...change },
      },
    },
  };
}
