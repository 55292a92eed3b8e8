import { kubernetes, podRule } from "../rule";
import { isAbsent, isUnknown } from "../unknown";

/** When a node is short, the scheduler needs to know who goes first. */
export const priorityClass = podRule(
  {
    id: "priority-class",
    title: "Pods have a priority class",
    severity: "low",
    controls: [kubernetes("Pod Priority and Preemption")],
    cluster: {
      per: "pod",
      valid:
        "variables.podSpec.?priorityClassName.orValue('') != '' && !variables.podSpec.priorityClassName.startsWith('system-')",
    },
    remediation: "Set priorityClassName to one of the platform's classes; the system-* classes are for kube-system.",
  },
  (pod) => {
    const name = pod.spec.priorityClassName;
    if (isAbsent(name)) return "has no priority class";
    const system = !isUnknown(name) && name.startsWith("system-");
    return system && pod.resource.object?.namespace !== "kube-system" ? `claims the priority class ${name}` : undefined;
  },
);
