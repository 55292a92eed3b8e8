import { cis, containerRule, nsa, restricted } from "../rule";
import { isAbsent, isNot, list } from "../unknown";

/** Without this a setuid binary gives a process more than its parent had; unset means allowed. */
export const noPrivilegeEscalation = containerRule(
  {
    id: "no-privilege-escalation",
    title: "Containers can not escalate their privileges",
    severity: "high",
    controls: [cis("5.2.6"), restricted("Privilege Escalation"), nsa("Pod security enforcement")],
    scanners: { trivy: ["KSV-0001"] },
    cluster: { per: "container", valid: "!c.?securityContext.?allowPrivilegeEscalation.orValue(true)" },
    remediation: "Set securityContext.allowPrivilegeEscalation to false.",
  },
  (container) =>
    isNot(container.spec.securityContext?.allowPrivilegeEscalation, false) ? "may escalate its privileges" : undefined,
  (spec) => {
    const open = [...list(spec.containers), ...list(spec.initContainers)].filter(
      ({ securityContext }) =>
        isAbsent(securityContext?.allowPrivilegeEscalation) && securityContext?.privileged !== true,
    );
    for (const container of open) (container.securityContext ??= {}).allowPrivilegeEscalation = false;
    return open.length > 0;
  },
);
