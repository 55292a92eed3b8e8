import { targets } from "../cel";
import { systemNamespaces } from "../kinds";
import { cis, nsa, objectRule } from "../rule";
import { entries, isUnknown } from "../unknown";

/** The cluster's admission configuration enforces the restricted profile; labels of a namespace override it. */
export const podSecurityLabels = objectRule(
  {
    id: "pod-security-labels",
    title: "No namespace weakens Pod Security Admission",
    severity: "high",
    controls: [cis("5.2.1"), nsa("Pod security enforcement")],
    cluster: {
      per: "object",
      of: [targets.namespaces],
      valid: `object.metadata.?labels.orValue({}).all(k, !k.matches('^pod-security[.]kubernetes[.]io/(enforce|audit|warn)$') || object.metadata.labels[k] == 'restricted')`,
    },
    remediation: "Remove the label, or set it to restricted.",
  },
  ["Namespace"],
  ({ metadata }, resource) =>
    systemNamespaces.has(resource.object!.name)
      ? undefined
      : entries<string>(metadata?.labels)
          .filter(
            ([key, value]) => /^pod-security\.kubernetes\.io\/(enforce|audit|warn)$/.test(key) && !isUnknown(value),
          )
          .filter(([, value]) => value !== "restricted")
          .map(([key, value]) => `sets ${key} to ${value}`),
);
