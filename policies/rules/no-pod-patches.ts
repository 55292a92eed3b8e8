import { cis, objectRule } from "../rule";

const kinds = [
  "Pod",
  "Deployment",
  "StatefulSet",
  "DaemonSet",
  "ReplicaSet",
  "ReplicationController",
  "Job",
  "CronJob",
];

/** Whether a patch changes the number of pods alone, which says nothing of what a pod is. */
export const onlyScales = (props: Record<string, unknown>): boolean => {
  const { spec } = props as { spec?: Record<string, unknown> };
  return spec !== undefined && Object.keys(spec).join() === "replicas";
};

/** A patch holds a piece of a pod; whether the whole is hardened can not be seen in it. */
export const noPodPatches = objectRule(
  {
    id: "no-pod-patches",
    title: "Workloads are not changed by patches",
    severity: "high",
    controls: [cis("5.6.3")],
    remediation: "Change the workload where it is made, so that the rules see all of it.",
  },
  kinds,
  (props, resource) =>
    resource.object?.patch && !onlyScales(props) ? "is a patch of a workload that the rules can not see" : undefined,
);
