import { namespacesOf } from "../namespaces";
import { describe, Resource } from "../resource";
import { groundwork, nsa, stackRule } from "../rule";
import { isUnknown } from "../unknown";

/** What guards a namespace, and is no reason for it. */
const guards = ["NetworkPolicy", "LimitRange", "ResourceQuota", "Namespace"];
const isGuard = ({ object }: Resource): boolean => guards.includes(object!.kind) || object!.patch;

/** An empty namespace is left over, or waits for someone to put something there by hand. */
export const noEmptyNamespaces = stackRule(
  {
    id: "no-empty-namespaces",
    title: "Every namespace of the stack has something in it",
    severity: "low",
    controls: [nsa("Namespaces"), groundwork("No orphan in the graph")],
    remediation: "Remove the namespace with its guards.",
  },
  (resources, report) => {
    if (resources.some(({ object, props }) => object && isUnknown(props["metadata"]?.namespace))) return;
    for (const { resource, members } of namespacesOf(resources)) {
      if (resource && members.every(isGuard)) report(resource, `${describe(resource)} is empty`);
    }
  },
);
