import { maybeElsewhere, namespacesOf, selectsAll } from "../namespaces";
import { cis, nsa, stackRule } from "../rule";
import { Resource } from "../resource";
import { hasUnknown, list } from "../unknown";

const directions = ["Ingress", "Egress"];

/** Kubernetes allows what no policy selects; policyTypes follow the rules that are there when they are left out. */
function isolates(policy: Resource, direction: string): boolean {
  const spec = policy.props["spec"];
  if (hasUnknown(spec?.podSelector) || hasUnknown(spec?.policyTypes)) return true;
  const types = list<string>(spec?.policyTypes);
  const implied = direction === "Ingress" || list(spec?.egress).length > 0;
  return selectsAll(spec?.podSelector) && (types.length === 0 ? implied : types.includes(direction));
}

/** No endpoint, no traffic: without such a policy a pod that nobody thought of talks to everyone. */
export const namespaceNetworkPolicies = stackRule(
  {
    id: "namespace-network-policies",
    title: "Every namespace isolates all its pods in both directions",
    severity: "high",
    controls: [cis("5.3.2"), nsa("Network policies")],
    scanners: { kubeScore: ["pod-networkpolicy"] },
    remediation: "Make the namespace with PlatformNamespace, which denies all traffic by default.",
  },
  (resources, report) => {
    if (maybeElsewhere(resources, "NetworkPolicy")) return;
    for (const namespace of namespacesOf(resources)) {
      const policies = namespace.members.filter(({ object }) => object?.kind === "NetworkPolicy");
      for (const direction of directions) {
        if (policies.some((policy) => isolates(policy, direction))) continue;
        report(
          namespace.resource ?? namespace.members[0],
          `namespace "${namespace.name}" has no NetworkPolicy of type ${direction} that selects every pod`,
        );
      }
    }
  },
);
