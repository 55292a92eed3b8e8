import { celEachRule, listOf, literal, targets } from "../cel";
import { cis, objectRule } from "../rule";
import { roles, rulesOf } from "../rbac";
import { list } from "../unknown";

const verbs = ["bind", "escalate", "impersonate"];

/** With these a subject gives itself any right that it lacks. */
export const noRbacEscalation = objectRule(
  {
    id: "no-rbac-escalation",
    title: "Roles do not let their subjects become someone else",
    severity: "critical",
    controls: [cis("5.1.8")],
    scanners: { trivy: ["KSV-0043", "KSV-0050", "KSV-0051", "KSV-0052", "KSV-0055"] },
    cluster: {
      per: "object",
      of: [targets.roles],
      valid: celEachRule(`!${listOf("r", "verbs")}.exists(v, v in ${literal(verbs)})`),
    },
    remediation: "Remove bind, escalate and impersonate.",
  },
  roles,
  (role) =>
    rulesOf(role).flatMap((rule) =>
      list(rule.verbs)
        .filter((verb) => verbs.includes(verb))
        .map((verb) => `grants the verb ${verb}`),
    ),
);
