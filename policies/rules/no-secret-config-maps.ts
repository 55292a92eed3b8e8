import { celHoldsSecret, celNamesSecret, celSecretLiteral, targets } from "../cel";
import { cis, nsa, objectRule } from "../rule";
import { holdsSecret, isSecretLiteral, namesSecret } from "../secrets";
import { entries } from "../unknown";

/** ConfigMaps are not encrypted in etcd, and many roles may read them. */
export const noSecretConfigMaps = objectRule(
  {
    id: "no-secret-config-maps",
    title: "ConfigMaps hold no secrets",
    severity: "high",
    controls: [cis("5.4.1"), nsa("Secrets")],
    scanners: { trivy: ["KSV-0109", "KSV-01010"] },
    cluster: {
      per: "object",
      of: [targets.configMaps],
      valid: `!has(object.data) || object.data.all(k, !(${celHoldsSecret("object.data[k]")} || ${celNamesSecret("k")} && !object.data[k].contains('\\n') && ${celSecretLiteral("object.data[k]")}))`,
    },
    remediation: "Move the value to a Secret and mount that as a file.",
  },
  ["ConfigMap"],
  (configMap) =>
    entries<unknown>(configMap["data"])
      .filter(([key, value]) => {
        if (typeof value !== "string") return false;
        return holdsSecret(value) || (namesSecret(key) && !value.includes("\n") && isSecretLiteral(value));
      })
      .map(([key]) => `holds a secret under the key "${key}"`),
);
