import { containerRule, kubernetes } from "../rule";
import { isAbsent } from "../unknown";

/** A hung process is restarted, and gets no traffic before it can answer. */
export const probes = containerRule(
  {
    id: "probes",
    title: "Containers that serve have liveness and readiness probes",
    severity: "medium",
    controls: [kubernetes("Configure Liveness, Readiness and Startup Probes")],
    scanners: { kubeScore: ["pod-probes"] },
    cluster: {
      per: "container",
      valid:
        "variables.finite || variables.owned || !variables.podSpec.containers.exists(o, o.name == c.name) || (has(c.livenessProbe) && has(c.readinessProbe))",
    },
    remediation: "Add the probe; the Workload kit takes a path or a command for it.",
  },
  (container, pod) => {
    if (container.role !== "container" || !pod.service || pod.operatorProbes) return undefined;
    const { livenessProbe, readinessProbe } = container.spec;
    return [
      ...(isAbsent(livenessProbe) ? ["has no liveness probe"] : []),
      ...(isAbsent(readinessProbe) ? ["has no readiness probe"] : []),
    ];
  },
);
