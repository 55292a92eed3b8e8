import { celHoldsSecret, celNamesSecret, celSecretLiteral } from "../cel";
import { cis, containerRule, nsa } from "../rule";
import { holdsSecret, isSecretLiteral, namesSecret } from "../secrets";
import { isAbsent, isUnknown, list } from "../unknown";

/** Variables are seen by every child process, `kubectl describe`, crash reports and debug pages. */
export const noSecretEnv = containerRule(
  {
    id: "no-secret-env",
    title: "Secrets do not come as environment variables",
    severity: "high",
    controls: [cis("5.4.1"), nsa("Secrets")],
    cluster: {
      per: "container",
      valid: `c.?env.orValue([]).all(e, !e.?valueFrom.?secretKeyRef.hasValue() && (!has(e.value) || !(${celHoldsSecret("e.value")} || ${celNamesSecret("e.name")} && ${celSecretLiteral("e.value")}))) && c.?envFrom.orValue([]).all(e, !has(e.secretRef))`,
    },
    remediation: "Mount the Secret as files and give the program the path.",
  },
  (container) => {
    const variables = list(container.spec.env).flatMap((variable) => {
      const { name, value } = variable ?? {};
      const source = variable?.valueFrom;
      if (!isUnknown(source) && !isAbsent(source?.secretKeyRef)) return [`takes the variable ${name} from a Secret`];
      if (typeof value !== "string" || typeof name !== "string") return [];
      const secret = holdsSecret(value) || (namesSecret(name) && isSecretLiteral(value));
      return secret ? [`has a secret as the plain value of the variable ${name}`] : [];
    });
    const whole = list(container.spec.envFrom)
      .filter((source) => !isUnknown(source) && !isAbsent(source?.secretRef))
      .map((source) => `takes all variables from the Secret ${source.secretRef?.name}`);
    return [...variables, ...whole];
  },
);
