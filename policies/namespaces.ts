import { isBuiltInNamespaced, systemNamespaces } from "./kinds";
import { groupOf, Resource } from "./resource";
import { isAbsent, isUnknown, list } from "./unknown";

/** A namespace of the stack, with what is in it. */
export interface NamespaceContents {
  name: string;
  /** The Namespace itself, when it is part of the stack. */
  resource?: Resource;
  members: readonly Resource[];
}

/**
 * The namespaces that the stack makes or uses. Left out: the system's own, and `default`, in which a rule of its own
 * allows nothing.
 */
export function namespacesOf(resources: readonly Resource[]): NamespaceContents[] {
  const members = new Map<string, Resource[]>();
  const made = new Map<string, Resource>();
  for (const resource of resources) {
    const object = resource.object;
    if (object?.kind === "Namespace" && groupOf(object) === "") {
      if (!isUnknown(resource.props["metadata"]?.name)) made.set(object.name, resource);
    }
    if (object?.namespace !== undefined) {
      members.set(object.namespace, [...(members.get(object.namespace) ?? []), resource]);
    }
  }
  return [...new Set([...made.keys(), ...members.keys()])]
    .filter((name) => !systemNamespaces.has(name) && name !== "default")
    .map((name) => ({ name, resource: made.get(name), members: members.get(name) ?? [] }));
}

/**
 * Whether an object of this kind may be in a namespace that is not known yet: then nobody can say that a namespace lacks one.
 */
export const maybeElsewhere = (resources: readonly Resource[], kind: string): boolean =>
  resources.some(
    ({ object, props }) =>
      object?.kind === kind && isBuiltInNamespaced(groupOf(object), kind) && isUnknown(props["metadata"]?.namespace),
  );

/** Whether a label selector selects every pod. */
export const selectsAll = (selector: any): boolean =>
  !isAbsent(selector) &&
  !isUnknown(selector) &&
  Object.keys(selector.matchLabels ?? {}).length === 0 &&
  list(selector.matchExpressions).length === 0;

/** Whether a label selector selects pods with these labels; true where either is not known yet. */
export function selects(selector: any, labels: Record<string, string> | undefined): boolean {
  if (isUnknown(selector) || isUnknown(labels)) return true;
  if (isAbsent(selector)) return false;
  const has = (key: string) => labels?.[key];
  const same = Object.entries<string>(selector.matchLabels ?? {}).every(
    ([key, value]) => isUnknown(value) || isUnknown(has(key)) || has(key) === value,
  );
  return same && list<any>(selector.matchExpressions).every((expression) => matches(expression, has(expression?.key)));
}

function matches(expression: any, value: string | undefined): boolean {
  if (isUnknown(expression) || isUnknown(value)) return true;
  const values = list<string>(expression.values);
  switch (expression.operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    default:
      return true;
  }
}
