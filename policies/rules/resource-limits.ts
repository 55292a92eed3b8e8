import { literal } from "../cel";
import { containerRule, nsa, trivy } from "../rule";
import { isAbsent } from "../unknown";

const checks = ["requests", "limits"] as const;
const resources = ["cpu", "memory"];

/** Without them one container starves its node, and the scheduler and the capacity check know nothing. */
export const resourceLimits = containerRule(
  {
    id: "resource-limits",
    title: "Containers request and limit CPU and memory",
    severity: "medium",
    controls: [nsa("Resource policies"), trivy("KSV-0011"), trivy("KSV-0015"), trivy("KSV-0016"), trivy("KSV-0018")],
    scanners: { trivy: ["KSV-0011", "KSV-0015", "KSV-0016", "KSV-0018"], kubeScore: ["container-resources"] },
    cluster: {
      per: "container",
      valid: `${literal(resources)}.all(r, r in c.?resources.?requests.orValue({}) && r in c.?resources.?limits.orValue({}))`,
    },
    remediation: "Set resources.requests and resources.limits for cpu and memory.",
  },
  (container) => {
    const missing = checks.flatMap((check) =>
      resources
        .filter((resource) => isAbsent(container.spec.resources?.[check]?.[resource]))
        .map((resource) => `${check}.${resource}`),
    );
    return missing.length > 0 ? `sets no ${missing.join(", ")}` : undefined;
  },
);
