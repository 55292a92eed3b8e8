import { kubernetes, podRule } from "../rule";
import { isAbsent, isUnknown, list } from "../unknown";

/** Two copies on one node are lost together. */
export const topologySpread = podRule(
  {
    id: "topology-spread",
    title: "Copies of a pod spread over the nodes",
    severity: "low",
    controls: [kubernetes("Pod Topology Spread Constraints")],
    scanners: {
      kubeScore: [
        "pod-topology-spread-constraints",
        "deployment-has-host-podantiaffinity",
        "statefulset-has-host-podantiaffinity",
      ],
    },
    cluster: {
      per: "pod",
      valid:
        "object.?spec.?replicas.orValue(1) < 2 || variables.podSpec.?topologySpreadConstraints.orValue([]).size() > 0 || variables.podSpec.?affinity.?podAntiAffinity.hasValue()",
    },
    remediation: "Add topologySpreadConstraints over kubernetes.io/hostname, or a podAntiAffinity.",
  },
  (pod) => {
    if (isAbsent(pod.replicas) || isUnknown(pod.replicas) || pod.replicas < 2) return undefined;
    const { topologySpreadConstraints, affinity } = pod.spec;
    const spread = isUnknown(topologySpreadConstraints) || list(topologySpreadConstraints).length > 0;
    return spread || !isAbsent(affinity?.podAntiAffinity)
      ? undefined
      : `runs ${pod.replicas} times with no rule to spread it`;
  },
);
