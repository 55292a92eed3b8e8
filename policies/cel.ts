import type { AdmissionTarget } from "./rule";
import { literalExemptions, secretWords, urlWithPassword, privateKeyHeader } from "./secrets";

/** A text, or a list of them, as a CEL literal. */
export const literal = (value: string | readonly string[]): string =>
  typeof value === "string"
    ? `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`
    : `[${value.map((one) => literal(one)).join(", ")}]`;

const matches = (text: string, pattern: string) => `${text}.matches(${literal(pattern)})`;

/** Same words, after a small letter or a digit: `dbPassword`. */
const afterHump = secretWords.map((word) => `${word[0]!.toUpperCase()}(?i:${word.slice(1)})`).join("|");

/** CEL of `namesSecret`. */
export const celNamesSecret = (text: string): string =>
  `(${matches(text, `(?i)(^|[^a-z])(${secretWords.join("|")})s?[^a-z]*$`)} || ` +
  `${matches(text, `[a-z0-9](${afterHump})[sS]?[^a-zA-Z]*$`)})`;

/** CEL of `holdsSecret`. */
export const celHoldsSecret = (text: string): string =>
  `(${matches(text, privateKeyHeader)} || ${matches(text, `(?i)${urlWithPassword}`)})`;

/** CEL of `isSecretLiteral`. */
export const celSecretLiteral = (text: string): string =>
  `(${text} != '' && !${matches(text, `(?i)${literalExemptions}`)})`;

/**
 * CEL of `secretsOnCommandLine`: nothing in a list of words is a secret, nor the value of `--password=x`, nor the word after
 * `--password`.
 */
export const celQuietWords = (words: string): string =>
  `${words}.all(w, !${celHoldsSecret("w")} && !(${matches("w", "^-{0,2}[A-Za-z][\\w.-]*=")} && ` +
  `${celNamesSecret("w.substring(0, w.indexOf('='))")} && ${celSecretLiteral("w.substring(w.indexOf('=') + 1)")})) && ` +
  `${words}.all(i, w, !(${matches("w", "^--?[A-Za-z][\\w.-]*$")} && ${celNamesSecret("w")} && i + 1 < size(${words}) && ` +
  `!${words}[i + 1].startsWith('-') && ${celSecretLiteral(`${words}[i + 1]`)}))`;

/** CEL for all containers or lists that may be missing: `field` of `of`, empty where it is not there. */
export const listOf = (of: string, field: string): string =>
  `(has(${of}.${field}) && ${of}.${field} != null ? ${of}.${field} : [])`;

/** Built-in kinds that rules of single objects are about. */
export const targets = {
  services: { group: "", resources: ["services"] },
  configMaps: { group: "", resources: ["configmaps"] },
  secrets: { group: "", resources: ["secrets"] },
  namespaces: { group: "", resources: ["namespaces"] },
  quotas: { group: "", resources: ["resourcequotas"] },
  networkPolicies: { group: "networking.k8s.io", resources: ["networkpolicies"] },
  roles: { group: "rbac.authorization.k8s.io", resources: ["roles", "clusterroles"] },
  bindings: { group: "rbac.authorization.k8s.io", resources: ["rolebindings", "clusterrolebindings"] },
} satisfies Record<string, AdmissionTarget>;

/** CEL: some rule of a role grants one of these verbs on one of these resources. */
export const celGrants = (rule: string, resources: readonly string[], verbs: readonly string[]): string =>
  `(${listOf(rule, "verbs")}.exists(v, v in ${literal(verbs)}) && ` +
  `${listOf(rule, "resources")}.exists(s, s in ${literal(resources)}))`;

/** CEL over each rule of a role, as `r`. */
export const celEachRule = (valid: string): string => `${listOf("object", "rules")}.all(r, ${valid})`;

/** CEL over each subject of a binding, as `s`. */
export const celEachSubject = (valid: string): string => `${listOf("object", "subjects")}.all(s, ${valid})`;
