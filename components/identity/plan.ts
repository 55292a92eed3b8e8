import { clusterRole, groupOf, RoleName, roleNames, roleRules, Rule } from "./roles";
import type { AccessSettings } from "./settings";

const group = "rbac.authorization.k8s.io";

/** Who a binding gives a role to. */
export interface Subject {
  apiGroup: typeof group;
  kind: "Group";
  name: string;
}

/** One object of the plan, as the API server takes it. */
export interface AccessObject {
  apiVersion: `${typeof group}/v1`;
  kind: "ClusterRole" | "ClusterRoleBinding" | "RoleBinding";
  metadata: { name: string; namespace?: string };
  rules?: Rule[];
  roleRef?: { apiGroup: typeof group; kind: "ClusterRole"; name: string };
  subjects?: Subject[];
}

/** Groups that a role is bound to: the platform's own name, and the same with an identity provider's prefix. */
export function groupsOf(role: RoleName, { oidcGroupsPrefix }: Pick<AccessSettings, "oidcGroupsPrefix">): string[] {
  return [groupOf(role), ...(oidcGroupsPrefix === undefined ? [] : [`${oidcGroupsPrefix}${groupOf(role)}`])];
}

/**
 * Roles and bindings: viewers see the whole cluster, and so do developers and administrators; developers work in their
 * namespaces, administrators everywhere. Nobody is bound by name, so that who leaves a group leaves its rights.
 */
export function planAccess(settings: Pick<AccessSettings, "namespaces" | "oidcGroupsPrefix">): AccessObject[] {
  const apiVersion = `${group}/v1` as const;
  const subjects = (...roles: RoleName[]): Subject[] =>
    roles.flatMap((role) => groupsOf(role, settings)).map((name) => ({ apiGroup: group, kind: "Group", name }));
  const ref = (role: RoleName) => ({ apiGroup: group, kind: "ClusterRole", name: clusterRole(role) }) as const;
  return [
    ...roleNames.map((role): AccessObject => ({
      apiVersion,
      kind: "ClusterRole",
      metadata: { name: clusterRole(role) },
      rules: roleRules[role],
    })),
    {
      apiVersion,
      kind: "ClusterRoleBinding",
      metadata: { name: clusterRole("viewer") },
      roleRef: ref("viewer"),
      subjects: subjects("viewer", "developer", "admin"),
    },
    {
      apiVersion,
      kind: "ClusterRoleBinding",
      metadata: { name: clusterRole("admin") },
      roleRef: ref("admin"),
      subjects: subjects("admin"),
    },
    ...[...new Set(settings.namespaces)].map((namespace): AccessObject => ({
      apiVersion,
      kind: "RoleBinding",
      metadata: { name: clusterRole("developer"), namespace },
      roleRef: ref("developer"),
      subjects: subjects("developer"),
    })),
  ];
}
