import { baseline, cis, containerRule, nsa } from "../rule";

/** A privileged container is root on its node. */
export const noPrivilegedContainers = containerRule(
  {
    id: "no-privileged-containers",
    title: "Containers do not run privileged",
    severity: "critical",
    controls: [cis("5.2.2"), baseline("Privileged Containers"), nsa("Pod security enforcement")],
    scanners: { trivy: ["KSV-0017"], kubeScore: ["container-security-context-privileged"] },
    cluster: { per: "container", valid: "!c.?securityContext.?privileged.orValue(false)" },
    remediation: "Remove securityContext.privileged and grant the one capability that is really needed.",
  },
  (container) => (container.spec.securityContext?.privileged === true ? "runs privileged" : undefined),
);
