import { celEachRule, celGrants, targets } from "../cel";
import { cis, objectRule } from "../rule";
import { granted, roles, rulesOf } from "../rbac";

const kinds = [
  "pods",
  "deployments",
  "statefulsets",
  "daemonsets",
  "replicasets",
  "replicationcontrollers",
  "jobs",
  "cronjobs",
];

/** Who makes a pod chooses its service account and its mounts, and so has every Secret of the namespace. */
export const noRbacWorkloadCreation = objectRule(
  {
    id: "no-rbac-workload-creation",
    title: "Roles of workloads create no pods",
    severity: "medium",
    controls: [cis("5.1.4")],
    scanners: { trivy: ["KSV-0048"] },
    cluster: { per: "object", of: [targets.roles], valid: celEachRule(`!${celGrants("r", kinds, ["create"])}`) },
    remediation: "Leave the making of pods to the graph and to operators with an exemption.",
  },
  roles,
  (role) => rulesOf(role).flatMap((rule) => granted(rule, kinds, ["create"]).map((kind) => `may create ${kind}`)),
);
