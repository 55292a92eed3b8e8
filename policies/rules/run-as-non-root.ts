import { cis, containerRule, nsa, restricted } from "../rule";
import { effective } from "../pods";
import { isNot } from "../unknown";

/** Makes the kubelet refuse an image whose user is root, whatever the image says later. */
export const runAsNonRoot = containerRule(
  {
    id: "run-as-non-root",
    title: "Containers run as a user who is not root",
    severity: "high",
    controls: [
      cis("5.2.7"),
      restricted("Running as Non-root"),
      restricted("Running as Non-root user"),
      nsa("Non-root containers and rootless container engines"),
    ],
    scanners: { trivy: ["KSV-0012", "KSV-0029", "KSV-0105", "KSV-0116", "KSV-0118"] },
    cluster: {
      per: "container",
      valid:
        "c.?securityContext.?runAsNonRoot.orValue(variables.podContext.?runAsNonRoot.orValue(false)) && c.?securityContext.?runAsUser.orValue(variables.podContext.?runAsUser.orValue(1)) != 0",
    },
    remediation: "Set securityContext.runAsNonRoot to true on the pod, and a runAsUser that is not 0.",
  },
  (container, pod) => [
    ...(isNot(effective(pod, container, "runAsNonRoot"), true) ? ["may run as root"] : []),
    ...(effective(pod, container, "runAsUser") === 0 ? ["runs as user 0"] : []),
  ],
);
