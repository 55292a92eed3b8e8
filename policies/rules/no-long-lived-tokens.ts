import { targets } from "../cel";
import { cis, nsa, objectRule } from "../rule";

/** Such a Secret holds a token that never ends; pods get one that does from the kubelet. */
export const noLongLivedTokens = objectRule(
  {
    id: "no-long-lived-tokens",
    title: "No Secret holds a service-account token",
    severity: "high",
    controls: [cis("5.1.6"), nsa("Protecting Pod service account tokens")],
    cluster: {
      per: "object",
      of: [targets.secrets],
      valid: "object.?type.orValue('') != 'kubernetes.io/service-account-token'",
    },
    remediation: "Remove the Secret and use a projected token, which expires.",
  },
  ["Secret"],
  (secret) =>
    secret["type"] === "kubernetes.io/service-account-token"
      ? "holds a service-account token without an end"
      : undefined,
);
