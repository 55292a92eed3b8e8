import { celEachSubject, literal, targets } from "../cel";
import { kubernetes, nsa, objectRule } from "../rule";
import { bindings } from "../rbac";
import { list } from "../unknown";

const everyone = ["system:anonymous", "system:unauthenticated", "system:authenticated", "system:serviceaccounts"];

/** Rights of such a group are rights of everybody, some of them without a login. */
export const noAnonymousBindings = objectRule(
  {
    id: "no-anonymous-bindings",
    title: "No rights for groups that hold everyone",
    severity: "critical",
    controls: [nsa("Authentication"), kubernetes("Role Based Access Control Good Practices")],
    scanners: { trivy: ["KSV-0122"] },
    cluster: { per: "object", of: [targets.bindings], valid: celEachSubject(`!(s.name in ${literal(everyone)})`) },
    remediation: "Bind the role to the one service account or group that needs it.",
  },
  bindings,
  (binding) =>
    list<any>(binding["subjects"])
      .filter((subject) => everyone.includes(subject?.name))
      .map((subject) => `gives rights to ${subject.name}`),
);
