import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { ApiAccess, NamespaceRef } from "./types";
import { knownName } from "./known-name";

/** A service account that holds exactly the permissions that were asked for. */
export interface GrantedAccess {
  serviceAccount: pulumi.Output<string>;
  /** The roles' bindings: the pods come after them. */
  grants: pulumi.Resource[];
}

/** Makes a workload's own service account, and a Role with its binding in each namespace where it has rules. */
export function grantAccess(
  name: string,
  namespace: NamespaceRef,
  access: ApiAccess,
  opts: pulumi.CustomResourceOptions,
): GrantedAccess {
  const account = new k8s.core.v1.ServiceAccount(
    `${name}-account`,
    { metadata: { name, namespace: namespace.name }, automountServiceAccountToken: false },
    opts,
  );
  const serviceAccount = knownName(name, account);
  const wanted = [...(access.rules ? [{ namespace, rules: access.rules }] : []), ...(access.elsewhere ?? [])];
  const grants = wanted.map((grant) => {
    // A role is named after its owner and its place: `traefik-in-app`.
    const roleName = `${name}-in-${grant.namespace.label}`;
    const role = new k8s.rbac.v1.Role(
      roleName,
      { metadata: { name: roleName, namespace: grant.namespace.name }, rules: grant.rules },
      { parent: opts.parent },
    );
    return new k8s.rbac.v1.RoleBinding(
      roleName,
      {
        metadata: { name: roleName, namespace: grant.namespace.name },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: knownName(roleName, role) },
        subjects: [{ kind: "ServiceAccount", name: serviceAccount, namespace: namespace.name }],
      },
      { parent: opts.parent },
    );
  });
  return { serviceAccount, grants };
}
