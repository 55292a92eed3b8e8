import { targets } from "../cel";
import { systemNamespaces } from "../kinds";
import { cis, nsa, objectRule, ResourceRule } from "../rule";
import { isAbsent, isNot, isUnknown } from "../unknown";

const label = "pod-security.kubernetes.io/enforce";

/** The label holds wherever the namespace lands; the cluster's own default only where its servers were set up by us. */
export const namespacePodSecurity: ResourceRule = {
  ...objectRule(
    {
      id: "namespace-pod-security",
      title: "Every namespace enforces the restricted Pod Security Standard",
      severity: "high",
      controls: [cis("5.2.1"), nsa("Pod security enforcement")],
      cluster: {
        per: "object",
        of: [targets.namespaces],
        valid: `object.metadata.?labels.orValue({}).exists(k, k == '${label}')`,
      },
      remediation: `Label it with ${label}: restricted, as PlatformNamespace does.`,
    },
    ["Namespace"],
    ({ metadata }, resource) => {
      const labels = metadata?.labels;
      if (systemNamespaces.has(resource.object!.name) || isUnknown(labels)) return undefined;
      return isNot(labels?.[label], undefined)
        ? undefined
        : isUnknown(labels?.[label])
          ? undefined
          : `has no label ${label}`;
    },
  ),
  remediate: ({ object }, props) => {
    const metadata = props["metadata"];
    const wanted = object?.kind === "Namespace" && !object.patch && !systemNamespaces.has(object.name);
    if (!wanted || isAbsent(metadata) || !isAbsent(metadata.labels?.[label])) return false;
    (metadata.labels ??= {})[label] = "restricted";
    return true;
  },
};
