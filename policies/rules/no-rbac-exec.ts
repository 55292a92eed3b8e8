import { celEachRule, celGrants, targets } from "../cel";
import { kubernetes, nsa, objectRule } from "../rule";
import { granted, roles, rulesOf } from "../rbac";

const ways = [
  "pods/exec",
  "pods/attach",
  "pods/portforward",
  "pods/proxy",
  "services/proxy",
  "pods/ephemeralcontainers",
];
const verbs = ["create", "get", "update", "patch", "*"];

/** Who may exec into a pod has its secrets and its place in the network. */
export const noRbacExec = objectRule(
  {
    id: "no-rbac-exec",
    title: "Roles let nobody into running pods",
    severity: "high",
    controls: [nsa("Role-based access control"), kubernetes("Role Based Access Control Good Practices")],
    scanners: { trivy: ["KSV-0053", "KSV-0054"] },
    cluster: { per: "object", of: [targets.roles], valid: celEachRule(`!${celGrants("r", ways, verbs)}`) },
    remediation: "Remove the subresource; for a look inside, use a break-glass role that is bound for an hour.",
  },
  roles,
  (role) => rulesOf(role).flatMap((rule) => granted(rule, ways, verbs).map((way) => `grants ${way}`)),
);
