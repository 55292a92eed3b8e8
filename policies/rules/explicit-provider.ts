import { describe } from "../resource";
import { groundwork, ResourceRule } from "../rule";

/** A default provider reads whatever kubeconfig lies about: the wrong cluster is one `kubectl config` away. */
export const explicitProvider: ResourceRule = {
  id: "explicit-provider",
  title: "Every Kubernetes resource names its cluster's provider",
  severity: "high",
  controls: [groundwork("One explicit Kubernetes provider per cluster")],
  remediation: "Pass `provider: cluster.provider`, or a parent that has it.",
  scope: "resource",
  check: (resource, report) => {
    if (!resource.object) return;
    const name = resource.provider?.split("::").at(-1);
    if (name === undefined) report(`${describe(resource)} has no provider`);
    else if (/^default(_\d.*)?$/.test(name)) report(`${describe(resource)} uses the default provider`);
  },
};
