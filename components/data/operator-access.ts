import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { NamespaceRef } from "../workload";
import { knownName } from "../workload";

/** Upstream's service account, and its role of the same name. */
const account = "cnpg-manager";

type Rule = k8s.types.input.rbac.v1.PolicyRule;

/** What the operator needs of objects that are in no namespace: taken from upstream's role, with the webhooks by name. */
export const clusterRules: Rule[] = [
  { apiGroups: [""], resources: ["nodes"], verbs: ["get", "list", "watch"] },
  {
    apiGroups: ["admissionregistration.k8s.io"],
    resources: ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
    resourceNames: ["cnpg-mutating-webhook-configuration", "cnpg-validating-webhook-configuration"],
    verbs: ["get", "patch"],
  },
  { apiGroups: ["postgresql.cnpg.io"], resources: ["clusterimagecatalogs"], verbs: ["get", "list", "watch"] },
];

/**
 * Binds upstream's role in the operator's own namespace and in those that it serves, in place of upstream's binding, which
 * lets it read the Secrets of the whole cluster.
 */
export function bindOperator(
  name: string,
  operator: NamespaceRef,
  serves: NamespaceRef[],
  opts: pulumi.CustomResourceOptions,
): pulumi.Resource[] {
  const subjects = [{ kind: "ServiceAccount", name: account, namespace: operator.name }];
  const apiGroup = "rbac.authorization.k8s.io";
  const bindings = [operator, ...serves].map(
    (namespace) =>
      new k8s.rbac.v1.RoleBinding(
        `${name}-in-${namespace.label}`,
        {
          metadata: { name: account, namespace: namespace.name },
          roleRef: { apiGroup, kind: "ClusterRole", name: account },
          subjects,
        },
        opts,
      ),
  );
  const clusterRole = new k8s.rbac.v1.ClusterRole(
    `${name}-cluster-scope`,
    { metadata: { name: `${account}-cluster-scope` }, rules: clusterRules },
    opts,
  );
  const clusterBinding = new k8s.rbac.v1.ClusterRoleBinding(
    `${name}-cluster-scope`,
    {
      metadata: { name: `${account}-cluster-scope` },
      roleRef: { apiGroup, kind: "ClusterRole", name: knownName(`${account}-cluster-scope`, clusterRole) },
      subjects,
    },
    opts,
  );
  return [...bindings, clusterBinding];
}
