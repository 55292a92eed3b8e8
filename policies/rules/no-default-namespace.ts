import { isBuiltInNamespaced } from "../kinds";
import { cis, nsa, objectRule } from "../rule";
import { groupOf } from "../resource";
import { isAbsent } from "../unknown";

/** What hardens the namespace itself. */
const hardening = ["NetworkPolicy", "ServiceAccount", "LimitRange", "ResourceQuota"];

/** What people put somewhere by hand. */
const everyday = [
  { group: "", resources: ["pods", "services", "configmaps", "secrets", "persistentvolumeclaims"] },
  { group: "apps", resources: ["deployments", "statefulsets", "daemonsets"] },
  { group: "batch", resources: ["jobs", "cronjobs"] },
  { group: "networking.k8s.io", resources: ["ingresses"] },
];

/** The default namespace is where everything lands that forgot to say where it belongs. */
export const noDefaultNamespace = objectRule(
  {
    id: "no-default-namespace",
    title: "Nothing is in the default namespace",
    severity: "medium",
    controls: [cis("5.6.4"), cis("5.6.1"), nsa("Namespaces")],
    scanners: { trivy: ["KSV-0110"] },
    cluster: {
      per: "object",
      of: everyday,
      // Kubernetes puts these two into every cluster.
      valid: "request.namespace != 'default' || object.metadata.name in ['kubernetes', 'kube-root-ca.crt']",
    },
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
