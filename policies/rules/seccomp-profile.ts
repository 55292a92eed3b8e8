import { literal } from "../cel";
import { baseline, cis, containerRule, restricted } from "../rule";
import { effective } from "../pods";
import { isAbsent, isUnknown, list } from "../unknown";

const allowed = ["RuntimeDefault", "Localhost"];

/** Unset means unconfined, unless the kubelet says otherwise: several hundred system calls more. */
export const seccompProfile = containerRule(
  {
    id: "seccomp-profile",
    title: "Containers run under a seccomp profile",
    severity: "medium",
    controls: [cis("5.6.2"), baseline("Seccomp"), restricted("Seccomp")],
    scanners: { trivy: ["KSV-0030", "KSV-0104"], kubeScore: ["container-seccomp-profile"] },
    cluster: {
      per: "container",
      valid: `c.?securityContext.?seccompProfile.?type.orValue(variables.podContext.?seccompProfile.?type.orValue('')) in ${literal(allowed)}`,
    },
    remediation: "Set securityContext.seccompProfile.type to RuntimeDefault on the pod.",
  },
  (container, pod) => {
    const type = effective(pod, container, "seccompProfile")?.type;
    return isUnknown(type) || list(allowed).includes(type ?? "")
      ? undefined
      : `runs ${type === undefined ? "without a seccomp profile" : `under the seccomp profile ${type}`}`;
  },
  (spec) => {
    if (!isAbsent(spec.securityContext?.seccompProfile)) return false;
    (spec.securityContext ??= {}).seccompProfile = { type: "RuntimeDefault" };
    return true;
  },
);
