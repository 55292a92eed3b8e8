import { celEachSubject, literal, targets } from "../cel";
import { cis, nsa, objectRule } from "../rule";
import { bindings } from "../rbac";
import { list } from "../unknown";

/** Roles that Kubernetes makes with every right there is. */
const almighty = ["cluster-admin", "admin"];

/** One stolen token of such a subject is the whole cluster. */
export const noClusterAdmin = objectRule(
  {
    id: "no-cluster-admin",
    title: "Nobody is bound to cluster-admin",
    severity: "critical",
    controls: [cis("5.1.1"), cis("5.1.7"), nsa("Role-based access control")],
    scanners: { trivy: ["KSV-0111", "KSV-0123"] },
    cluster: {
      per: "object",
      of: [targets.bindings],
      valid: `!(object.roleRef.name in ${literal(almighty)}) && ${celEachSubject("s.name != 'system:masters'")}`,
    },
    remediation: "Bind a role that lists the resources and verbs that are used.",
  },
  bindings,
  (binding) => [
    ...(almighty.includes(binding["roleRef"]?.name) ? [`binds the role ${binding["roleRef"].name}`] : []),
    ...(list<any>(binding["subjects"]).some((subject) => subject?.name === "system:masters")
      ? ["gives rights to the group system:masters"]
      : []),
  ],
);
