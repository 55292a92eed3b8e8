import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { planAccess } from "./plan";
import type { AccessSettings } from "./settings";

export interface ClusterAccessArgs extends Partial<Pick<AccessSettings, "oidcGroupsPrefix">> {
  /**
   * Namespaces in which developers work, by name: a `PlatformNamespace` with its `label` and its `name`, which is known once
   * the namespace stands.
   */
  namespaces: { label: string; name: pulumi.Input<string> }[];
}

/**
 * The groups `groundwork:admins`, `groundwork:developers` and `groundwork:viewers` with their ClusterRoles. Who is in a group
 * is said by the client certificate (`npm run access -- kubeconfig`), or by an identity provider.
 */
export class ClusterAccess extends pulumi.ComponentResource {
  /** Known once every role is bound. */
  readonly ready: pulumi.Output<string>;

  constructor(name: string, args: ClusterAccessArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:identity:ClusterAccess", name, {}, opts);
    const places = new Map(args.namespaces.map((place) => [place.label, place.name]));
    const plan = planAccess({ namespaces: [...places.keys()], oidcGroupsPrefix: args.oidcGroupsPrefix });

    const roles = new Map<string, pulumi.Output<string>>();
    for (const { kind, metadata, rules } of plan) {
      if (kind !== "ClusterRole") continue;
      const logical = `${name}-${metadata.name.replace("groundwork-", "")}`;
      const role = new k8s.rbac.v1.ClusterRole(logical, { metadata, rules }, { parent: this });
      // The name is fixed; it is known once the role is there, so that a binding comes after it.
      roles.set(
        metadata.name,
        role.id.apply(() => metadata.name),
      );
    }
    const bound = plan.flatMap(({ kind, metadata, roleRef, subjects }): pulumi.CustomResource[] => {
      if (!roleRef || !subjects) return [];
      const logical = `${name}-${metadata.name.replace("groundwork-", "")}`;
      const binding = { subjects, roleRef: { ...roleRef, name: roles.get(roleRef.name)! } };
      if (kind === "ClusterRoleBinding") {
        return [new k8s.rbac.v1.ClusterRoleBinding(`${logical}-binding`, { metadata, ...binding }, { parent: this })];
      }
      const namespace = places.get(metadata.namespace!)!;
      return [
        new k8s.rbac.v1.RoleBinding(
          `${logical}-in-${metadata.namespace}`,
          { metadata: { ...metadata, namespace }, ...binding },
          { parent: this },
        ),
      ];
    });
    this.ready = pulumi.all(bound.map(({ id }) => id)).apply(() => "ready");
    this.registerOutputs({ ready: this.ready });
  }
}
