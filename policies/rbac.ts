import { list } from "./unknown";

/** One rule of a Role or ClusterRole. */
export interface PolicyRule {
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
  nonResourceURLs?: string[];
  verbs?: string[];
}

/** Kinds that hold rules. */
export const roles = ["Role", "ClusterRole"];
/** Kinds that give roles to subjects. */
export const bindings = ["RoleBinding", "ClusterRoleBinding"];

/** The rules of a role. */
export const rulesOf = (role: Record<string, any>): readonly PolicyRule[] =>
  list<PolicyRule>(role["rules"]).filter((rule) => typeof rule === "object" && rule !== null);

/** Which of these resources a rule lets its subjects touch with one of these verbs; wildcards have a rule of their own. */
export function granted(rule: PolicyRule, resources: readonly string[], verbs: readonly string[]): string[] {
  if (!list(rule.verbs).some((verb) => verbs.includes(verb))) return [];
  return list(rule.resources).filter((resource) => resources.includes(resource));
}
