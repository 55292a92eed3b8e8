import { literal } from "../cel";
import { baseline, podRule } from "../rule";
import { containersOf } from "../pods";
import { entries, isAbsent, isUnknown } from "../unknown";

const types = ["RuntimeDefault", "Localhost"];
const annotation = "container.apparmor.security.beta.kubernetes.io/";

/** The runtime's profile applies by default on hosts that have AppArmor; it must not be switched off. */
export const apparmorProfile = podRule(
  {
    id: "apparmor-profile",
    title: "Pods do not switch AppArmor off",
    severity: "medium",
    controls: [baseline("AppArmor")],
    scanners: { trivy: ["KSV-0002"] },
    cluster: {
      per: "pod",
      valid: `variables.contexts.all(x, x.?appArmorProfile.?type.orValue('RuntimeDefault') in ${literal(types)}) && variables.podMetadata.?annotations.orValue({}).all(k, !k.startsWith('${annotation}') || variables.podMetadata.annotations[k] != 'unconfined')`,
    },
    remediation: "Remove appArmorProfile, or set its type to RuntimeDefault.",
  },
  (pod) => {
    const contexts = [
      pod.spec.securityContext,
      ...containersOf(pod).map((container) => container.spec.securityContext),
    ];
    const profiles = contexts.map((context) => context?.appArmorProfile?.type);
    const annotated = entries(pod.metadata.annotations)
      .filter(([key, value]) => !isUnknown(value) && key.startsWith(annotation) && value === "unconfined")
      .map(() => "Unconfined");
    return [...profiles, ...annotated]
      .filter((type) => !isAbsent(type) && !isUnknown(type) && !types.includes(type))
      .map((type) => `asks for the AppArmor profile ${type}`);
  },
);
