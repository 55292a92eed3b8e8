import { cis, nsa, objectRule } from "../rule";

/**
 * Pulumi encrypts a secret value in its state wherever it stands, but the cluster shows it to whoever may read the object.
 * The engine's marks are what counts here, so that a generated password is found under any name.
 */
export const noSecretValues = objectRule(
  {
    id: "no-secret-values",
    title: "Secret values stand in Secrets only",
    severity: "critical",
    controls: [cis("5.4.1"), nsa("Secrets")],
    remediation: "Put the value into a Secret and refer to it by name.",
  },
  [],
  (_props, resource) =>
    resource.object?.kind === "Secret" ? undefined : resource.secrets.map((path) => `has a secret value in ${path}`),
);
