import { cis, containerRule, nsa, trivy } from "../rule";
import { isNot } from "../unknown";

/** Who breaks in can not replace a binary or leave a tool behind. */
export const readOnlyRootFilesystem = containerRule(
  {
    id: "read-only-root-filesystem",
    title: "Containers have a read-only root file system",
    severity: "medium",
    controls: [cis("5.6.3"), nsa("Immutable container file systems"), trivy("KSV-0014")],
    scanners: { trivy: ["KSV-0014"], kubeScore: ["container-security-context-readonlyrootfilesystem"] },
    cluster: { per: "container", valid: "c.?securityContext.?readOnlyRootFilesystem.orValue(false)" },
    remediation: "Set securityContext.readOnlyRootFilesystem to true and mount an emptyDir where files are written.",
  },
  (container) =>
    isNot(container.spec.securityContext?.readOnlyRootFilesystem, true)
      ? "can write to its root file system"
      : undefined,
);
