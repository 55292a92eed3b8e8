import { cis, nsa, podRule } from "../rule";
import { isAbsent, isNot } from "../unknown";

/** Few workloads call the API server; a token in the others is only there to be stolen. */
export const noServiceAccountToken = podRule(
  {
    id: "no-service-account-token",
    title: "Pods mount no service-account token",
    severity: "medium",
    controls: [cis("5.1.6"), nsa("Protecting Pod service account tokens")],
    scanners: { trivy: ["KSV-0036"] },
    cluster: { per: "pod", valid: "!variables.podSpec.?automountServiceAccountToken.orValue(true)" },
    remediation: "Set automountServiceAccountToken to false on the pod.",
  },
  (pod) => (isNot(pod.spec.automountServiceAccountToken, false) ? "mounts a service-account token" : undefined),
  (spec) => {
    // A workload that says true wants the token, and must say so in an exemption.
    if (!isAbsent(spec.automountServiceAccountToken)) return false;
    spec.automountServiceAccountToken = false;
    return true;
  },
);
