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

/** Makes a workload's own service account, whose token is in no pod that does not ask for it. */
export function makeAccount(
  name: string,
  namespace: NamespaceRef,
  opts: pulumi.CustomResourceOptions,
): pulumi.Output<string> {
  const account = new k8s.core.v1.ServiceAccount(
    `${name}-account`,
    { metadata: { name, namespace: namespace.name }, automountServiceAccountToken: false },
    opts,
  );
  return knownName(name, account);
}

/** Makes a workload's own service account, and a Role with its binding in each namespace where it has rules. */
export function grantAccess(
  name: string,
  namespace: NamespaceRef,
  access: ApiAccess,
  opts: pulumi.CustomResourceOptions,
): GrantedAccess {
  const serviceAccount = makeAccount(name, namespace, opts);
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
