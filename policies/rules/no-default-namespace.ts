import { isBuiltInNamespaced } from "../kinds";
import { cis, nsa, objectRule } from "../rule";
import { groupOf } from "../resource";
import { isAbsent } from "../unknown";

/** What hardens the namespace itself. */
const hardening = ["NetworkPolicy", "ServiceAccount", "LimitRange", "ResourceQuota"];

/** The default namespace is where everything lands that forgot to say where it belongs. */
export const noDefaultNamespace = objectRule(
  {
    id: "no-default-namespace",
    title: "Nothing is in the default namespace",
    severity: "medium",
    controls: [cis("5.6.4"), cis("5.6.1"), nsa("Namespaces")],
    scanners: { trivy: ["KSV-0110"] },
    remediation: "Set metadata.namespace to a namespace of the platform.",
  },
  [],
  (props, resource) => {
    const object = resource.object!;
    if (hardening.includes(object.kind)) return undefined;
    const unset = isAbsent(props["metadata"]?.namespace) && isBuiltInNamespaced(groupOf(object), object.kind);
    return unset ? "names no namespace" : object.namespace === "default" ? "is in the default namespace" : undefined;
  },
);
