import { targets } from "../cel";
import { objectRule, trivy, Control } from "../rule";
import { isUnknown, list } from "../unknown";

const cve: Control = { framework: "CVE", id: "2020-8554" };

/** Whoever may set externalIPs can take over traffic to any address. */
export const noExternalIps = objectRule(
  {
    id: "no-external-ips",
    title: "Services claim no external addresses",
    severity: "high",
    controls: [cve, trivy("KSV-0108")],
    scanners: { trivy: ["KSV-0108"] },
    cluster: { per: "object", of: [targets.services], valid: "object.spec.?externalIPs.orValue([]).size() == 0" },
    remediation: "Remove externalIPs; a Service of type LoadBalancer gets an address of its own.",
  },
  ["Service"],
  ({ spec }) => (!isUnknown(spec?.externalIPs) && list(spec?.externalIPs).length > 0 ? "sets externalIPs" : undefined),
);
