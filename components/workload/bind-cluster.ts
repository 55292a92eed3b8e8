import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { knownName } from "./known-name";

/**
 * Gives the account of that name rules for the whole cluster, by a role of the same name: for what is in no namespace, such as
 * nodes and volumes. The kit names a workload's account after the workload.
 */
export function bindCluster(
  name: string,
  namespace: pulumi.Input<string>,
  rules: k8s.types.input.rbac.v1.PolicyRule[],
  opts: pulumi.CustomResourceOptions,
): [role: pulumi.Resource, binding: pulumi.Resource] {
  const role = new k8s.rbac.v1.ClusterRole(name, { metadata: { name }, rules }, opts);
  const binding = new k8s.rbac.v1.ClusterRoleBinding(
    name,
    {
      metadata: { name },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: knownName(name, role) },
      subjects: [{ kind: "ServiceAccount", name, namespace }],
    },
    opts,
  );
  return [role, binding];
}
