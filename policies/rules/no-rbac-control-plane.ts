import { celEachRule, celGrants, targets } from "../cel";
import { cis, objectRule } from "../rule";
import { granted, roles, rulesOf } from "../rbac";

const write = ["create", "update", "patch", "delete", "deletecollection"];

/** Each line: resources, verbs that are too much on them. */
const reach: readonly [readonly string[], readonly string[]][] = [
  [["persistentvolumes"], ["create"]],
  [["nodes/proxy"], ["get", ...write]],
  [["certificatesigningrequests/approval"], ["update", "patch"]],
  [["validatingwebhookconfigurations", "mutatingwebhookconfigurations"], write],
  [["serviceaccounts/token"], ["create"]],
];

/** Each of these is a known way from a namespace to the whole cluster. */
export const noRbacControlPlane = objectRule(
  {
    id: "no-rbac-control-plane",
    title: "Roles keep away from volumes, kubelets, certificates, webhooks and tokens",
    severity: "high",
    controls: [cis("5.1.9"), cis("5.1.10"), cis("5.1.11"), cis("5.1.12"), cis("5.1.13")],
    scanners: { trivy: ["KSV-0047", "KSV-0114"] },
    cluster: {
      per: "object",
      of: [targets.roles],
      valid: celEachRule(reach.map(([resources, verbs]) => `!${celGrants("r", resources, verbs)}`).join(" && ")),
    },
    remediation: "Remove the resource from the role.",
  },
  roles,
  (role) =>
    rulesOf(role).flatMap((rule) =>
      reach.flatMap(([resources, verbs]) => granted(rule, resources, verbs).map((name) => `may change ${name}`)),
    ),
);
