import { baseline, containerRule } from "../rule";
import { isAbsent, isNot } from "../unknown";

/** An unmasked /proc shows and changes what belongs to the node. */
export const defaultProcMount = containerRule(
  {
    id: "default-proc-mount",
    title: "Containers see the masked /proc",
    severity: "medium",
    controls: [baseline("/proc Mount Type")],
    scanners: { trivy: ["KSV-0027"] },
    cluster: { per: "container", valid: "c.?securityContext.?procMount.orValue('Default') == 'Default'" },
    remediation: "Remove securityContext.procMount.",
  },
  (container) => {
    const type = container.spec.securityContext?.procMount;
    return !isAbsent(type) && isNot(type, "Default") ? `mounts /proc as ${type}` : undefined;
  },
);
