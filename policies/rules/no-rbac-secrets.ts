import { celEachRule, celGrants, targets } from "../cel";
import { cis, objectRule } from "../rule";
import { granted, roles, rulesOf } from "../rbac";
import { isUnknown, list } from "../unknown";

/** list and watch hand out the contents like get does. */
export const noRbacSecrets = objectRule(
  {
    id: "no-rbac-secrets",
    title: "Roles read only the Secrets that they name",
    severity: "high",
    controls: [cis("5.1.2")],
    scanners: { trivy: ["KSV-0041", "KSV-0113"] },
    cluster: {
      per: "object",
      of: [targets.roles],
      valid: celEachRule(
        `!${celGrants("r", ["secrets"], ["get", "list", "watch"])} || r.?resourceNames.orValue([]).size() > 0`,
      ),
    },
    remediation: "Name the Secrets in resourceNames, or mount them.",
  },
  roles,
  (role) =>
    rulesOf(role)
      .filter((rule) => granted(rule, ["secrets"], ["get", "list", "watch"]).length > 0)
      .filter((rule) => !isUnknown(rule.resourceNames) && list(rule.resourceNames).length === 0)
      .map(() => "reads every Secret in its reach"),
);
