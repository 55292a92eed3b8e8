import { containerRule, trivy } from "../rule";
import { effective } from "../pods";
import { show } from "../resource";
import { isUnknown, list } from "../unknown";

/** Ids up to here belong to users of the host in common distributions. */
const lowest = 10_000;

/** A process that leaves its container should meet no file of a host user with its ids. */
export const highUserIds = containerRule(
  {
    id: "high-user-ids",
    title: "Users and groups of containers have ids above 10000",
    severity: "medium",
    controls: [trivy("KSV-0020"), trivy("KSV-0021")],
    scanners: { trivy: ["KSV-0020", "KSV-0021"], kubeScore: ["container-security-context-user-group-id"] },
    cluster: {
      per: "container",
      valid: `['runAsUser', 'runAsGroup'].all(f, (has(c.securityContext) && f in c.securityContext ? c.securityContext[f] : f in variables.podContext ? variables.podContext[f] : 0) > ${lowest}) && variables.podContext.?fsGroup.orValue(${lowest + 1}) > ${lowest} && variables.podContext.?supplementalGroups.orValue([]).all(g, g > ${lowest})`,
    },
    remediation: "Set runAsUser, runAsGroup and fsGroup above 10000.",
  },
  (container, pod) => {
    const high = (id: number | undefined) => isUnknown(id) || (typeof id === "number" && id > lowest);
    const user = effective(pod, container, "runAsUser");
    const group = effective(pod, container, "runAsGroup");
    const extra = [pod.spec.securityContext?.fsGroup, ...list(pod.spec.securityContext?.supplementalGroups)];
    return [
      ...(high(user) ? [] : [`runs as user ${show(user)}`]),
      ...(high(group) ? [] : [`runs as group ${show(group)}`]),
      ...extra.filter((id) => id !== undefined && id !== null && !high(id)).map((id) => `belongs to group ${show(id)}`),
    ];
  },
);
