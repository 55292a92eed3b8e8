import { celEachSubject, targets } from "../cel";
import { cis, nsa, objectRule } from "../rule";
import { list } from "../unknown";

/** Rights of the default account are rights of every pod that forgot to name one. */
export const noDefaultServiceAccount = objectRule(
  {
    id: "no-default-service-account",
    title: "Default service accounts have no rights",
    severity: "high",
    controls: [cis("5.1.5"), nsa("Role-based access control")],
    cluster: {
      per: "object",
      of: [targets.bindings],
      valid: celEachSubject("s.kind != 'ServiceAccount' || s.name != 'default'"),
    },
    remediation: "Make a service account for the workload and bind the role to that.",
  },
  ["RoleBinding", "ClusterRoleBinding"],
  (binding) =>
    list<any>(binding["subjects"]).some((subject) => subject?.kind === "ServiceAccount" && subject?.name === "default")
      ? "gives rights to a default service account"
      : undefined,
);
