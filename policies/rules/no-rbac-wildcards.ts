import { celEachRule, listOf, targets } from "../cel";
import { cis, nsa, objectRule } from "../rule";
import { PolicyRule, roles, rulesOf } from "../rbac";
import { list } from "../unknown";

const fields = ["apiGroups", "resources", "verbs", "nonResourceURLs"] as const;

/** A wildcard grants what the next version of Kubernetes adds, too. */
export const noRbacWildcards = objectRule(
  {
    id: "no-rbac-wildcards",
    title: "Roles use no wildcards",
    severity: "high",
    controls: [cis("5.1.3"), nsa("Role-based access control")],
    scanners: { trivy: ["KSV-0044", "KSV-0045", "KSV-0046", "KSV-0112"] },
    cluster: {
      per: "object",
      of: [targets.roles],
      valid: celEachRule(fields.map((field) => `!${listOf("r", field)}.exists(x, x == '*')`).join(" && ")),
    },
    remediation: "List the API groups, resources and verbs.",
  },
  roles,
  (role) => {
    const wild = (rule: PolicyRule) => fields.filter((field) => list(rule[field]).some((item) => item === "*"));
    return [...new Set(rulesOf(role).flatMap(wild))].map((field) => `has a wildcard in ${field}`);
  },
);
