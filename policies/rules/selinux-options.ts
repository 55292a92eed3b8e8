import { literal } from "../cel";
import { baseline, podRule } from "../rule";
import { containersOf, SecurityContext } from "../pods";
import { isAbsent, isUnknown } from "../unknown";

const types = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

function findings(context: SecurityContext | undefined): string[] {
  const { type, user, role } = context?.seLinuxOptions ?? {};
  return [
    ...(isAbsent(type) || isUnknown(type) || types.includes(type) ? [] : [`asks for the SELinux type ${type}`]),
    ...(isAbsent(user) || isUnknown(user) || user === "" ? [] : ["sets an SELinux user"]),
    ...(isAbsent(role) || isUnknown(role) || role === "" ? [] : ["sets an SELinux role"]),
  ];
}

/** A type of another domain, or a user or role of its own, takes a container out of its confinement. */
export const selinuxOptions = podRule(
  {
    id: "selinux-options",
    title: "Pods keep the SELinux types of containers",
    severity: "medium",
    controls: [baseline("SELinux")],
    scanners: { trivy: ["KSV-0025"] },
    cluster: {
      per: "pod",
      valid: `variables.contexts.all(x, x.?seLinuxOptions.?type.orValue('') in ${literal(types)} && x.?seLinuxOptions.?user.orValue('') == '' && x.?seLinuxOptions.?role.orValue('') == '')`,
    },
    remediation: "Remove seLinuxOptions, or use one of the container_* types alone.",
  },
  (pod) =>
    [pod.spec.securityContext, ...containersOf(pod).map((container) => container.spec.securityContext)].flatMap(
      findings,
    ),
);
