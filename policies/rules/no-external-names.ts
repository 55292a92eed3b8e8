import { targets } from "../cel";
import { kubernetes, nsa, objectRule } from "../rule";

/** An ExternalName sends traffic wherever DNS says, past every NetworkPolicy that names pods. */
export const noExternalNames = objectRule(
  {
    id: "no-external-names",
    title: "Services are no aliases of outside names",
    severity: "medium",
    controls: [nsa("Network policies"), kubernetes("Service: type ExternalName")],
    cluster: { per: "object", of: [targets.services], valid: "object.spec.?type.orValue('') != 'ExternalName'" },
    remediation: "Use the outside name in the consumer's settings, with an egress rule of its own.",
  },
  ["Service"],
  ({ spec }) => (spec?.type === "ExternalName" ? "is of type ExternalName" : undefined),
);
