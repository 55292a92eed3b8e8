import { containersOf } from "../pods";
import { baseline, cis, podRule } from "../rule";

/** HostProcess is the privileged mode of Windows nodes. */
export const noHostProcess = podRule(
  {
    id: "no-host-process",
    title: "Windows pods are no HostProcess pods",
    severity: "critical",
    controls: [cis("5.2.11"), baseline("HostProcess")],
    scanners: { trivy: ["KSV-0103"] },
    cluster: { per: "pod", valid: "variables.contexts.all(x, !x.?windowsOptions.?hostProcess.orValue(false))" },
    remediation: "Remove windowsOptions.hostProcess from the security contexts.",
  },
  (pod) => {
    const contexts = [
      pod.spec.securityContext,
      ...containersOf(pod).map((container) => container.spec.securityContext),
    ];
    return contexts.some((context) => context?.windowsOptions?.hostProcess === true)
      ? "asks for windowsOptions.hostProcess"
      : undefined;
  },
);
