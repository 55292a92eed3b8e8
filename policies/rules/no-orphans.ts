import { References, usable } from "../references";
import { describe, Resource } from "../resource";
import { groundwork, nsa, stackRule } from "../rule";
import { entries, hasUnknown, isUnknown } from "../unknown";

/** Kinds that keep their use to themselves: aggregated roles, and what someone finds by its labels. */
const foundByLabel = ({ props }: Resource): boolean =>
  entries<string>(props["metadata"]?.labels).some(([key]) =>
    /^rbac\.authorization\.k8s\.io\/aggregate-to-|^(grafana_dashboard|argocd\.argoproj\.io\/secret-type|sealedsecrets\.bitnami\.com\/)/.test(
      key,
    ),
  );

/** What nobody uses is what nobody watches: a login that is never rotated, a role that someone binds one day. */
export const noOrphans = stackRule(
  {
    id: "no-orphans",
    title: "Every Secret, ConfigMap, account, claim and role is used by something",
    severity: "low",
    controls: [nsa("Role-based access control"), groundwork("No orphan in the graph")],
    remediation: "Remove it, or exempt what is used by something outside of the graph.",
  },
  (resources, report) => {
    const references = new References(resources);
    const unsure = resources.some(({ object, props }) => object !== undefined && isUnknown(props["metadata"]?.name));
    for (const resource of resources) {
      const { object, props } = resource;
      if (!object || object.patch || !(usable as readonly string[]).includes(object.kind)) continue;
      if (isUnknown(props["metadata"]) || isUnknown(props["metadata"]?.namespace) || foundByLabel(resource)) continue;
      if (unsure || references.uses(object) || mayBeNamed(resources, object.namespace)) continue;
      report(resource, `${describe(resource)} is used by nothing in the stack`);
    }
  },
);

/** Whether something that could name it has a value in its content that is not known yet. */
const mayBeNamed = (resources: readonly Resource[], namespace: string | undefined): boolean =>
  resources.some(({ object, props }) => {
    if (!object || (namespace !== undefined && object.namespace !== undefined && object.namespace !== namespace))
      return false;
    const { spec, template, roleRef, subjects, metadata } = props;
    return hasUnknown([spec, template, roleRef, subjects]) || isUnknown(metadata?.namespace);
  });
