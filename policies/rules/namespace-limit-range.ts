import { maybeElsewhere, namespacesOf } from "../namespaces";
import { nsa, stackRule, trivy } from "../rule";

/** Gives a pod that names no requests or limits the namespace's, so that no pod runs without. */
export const namespaceLimitRange = stackRule(
  {
    id: "namespace-limit-range",
    title: "Every namespace has a LimitRange",
    severity: "medium",
    controls: [nsa("Resource policies"), trivy("KSV-0039")],
    scanners: { trivy: ["KSV-0039"] },
    remediation: "Make the namespace with PlatformNamespace, which adds one.",
  },
  (resources, report) => {
    if (maybeElsewhere(resources, "LimitRange")) return;
    for (const { name, resource, members } of namespacesOf(resources)) {
      const found = members.some(({ object }) => object?.kind === "LimitRange");
      if (!found) report(resource ?? members[0], `namespace "${name}" has no LimitRange`);
    }
  },
);
