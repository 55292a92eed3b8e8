import { maybeElsewhere, namespacesOf } from "../namespaces";
import { nsa, stackRule, trivy } from "../rule";

/** Keeps a namespace that goes wrong from taking the cluster with it. */
export const namespaceResourceQuota = stackRule(
  {
    id: "namespace-resource-quota",
    title: "Every namespace has a ResourceQuota",
    severity: "medium",
    controls: [nsa("Resource policies"), trivy("KSV-0040")],
    scanners: { trivy: ["KSV-0040"] },
    remediation: "Make the namespace with PlatformNamespace, which adds one.",
  },
  (resources, report) => {
    if (maybeElsewhere(resources, "ResourceQuota")) return;
    for (const { name, resource, members } of namespacesOf(resources)) {
      const found = members.some(({ object }) => object?.kind === "ResourceQuota");
      if (!found) report(resource ?? members[0], `namespace "${name}" has no ResourceQuota`);
    }
  },
);
