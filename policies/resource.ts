import { clusterScopedCustom } from "./kinds";
import { isAbsent, isUnknown, withoutTraps } from "./unknown";

/** A Kubernetes object as a resource of the graph. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  /** The object's name; the logical name where it is generated or not known yet. */
  name: string;
  /** Unset: cluster-scoped, left to the provider, or not known yet. */
  namespace?: string;
  /** A server-side patch of an object that something else owns. */
  patch: boolean;
}

/** A resource as the rules see it, before it is created or (in stack rules) after. */
export interface Resource {
  urn: string;
  type: string;
  /** Logical name. */
  name: string;
  /** Inputs (outputs in stack rules); values that are not known yet are `unknown`. */
  props: Record<string, any>;
  /** URN of the provider; a default provider's ends in `::default` or `::default_<version>`. */
  provider?: string;
  /** Paths of the values that the program marked as secret, such as `data.password`. */
  secrets: readonly string[];
  /** The engine refuses to delete it. */
  protect: boolean;
  /** Set for resources that are Kubernetes objects, not for charts and other components. */
  object?: KubernetesObject;
}

/** What the engine, or a captured graph, says of a resource. */
export interface RawResource {
  urn: string;
  type: string;
  name: string;
  props: Record<string, any>;
  provider?: string;
  secrets?: readonly string[];
  protect?: boolean;
}

/** Modules of the Kubernetes SDK whose resources are components or clients and not objects. */
const notObjects = /^kubernetes:(helm\.sh|yaml|kustomize)\//;

/** Reads a resource once for all rules. */
export function toResource(raw: RawResource): Resource {
  const props = withoutTraps(raw.props);
  return { ...raw, props, secrets: raw.secrets ?? [], protect: raw.protect ?? false, object: toObject(raw, props) };
}

function toObject(raw: RawResource, props: Record<string, any>): KubernetesObject | undefined {
  const [provider, module, token] = raw.type.split(":");
  if (provider !== "kubernetes" || !module || !token || notObjects.test(raw.type)) return undefined;
  const kind = typeof props["kind"] === "string" ? props["kind"] : token.replace(/Patch$/, "");
  const apiVersion = typeof props["apiVersion"] === "string" ? props["apiVersion"] : module.replace(/^core\//, "");
  const metadata = props["metadata"];
  const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);
  return {
    apiVersion,
    kind,
    name: text(metadata?.name) ?? raw.name,
    namespace: clusterScopedCustom.has(kind) ? undefined : text(metadata?.namespace),
    patch: token === `${kind}Patch`,
  };
}

/** The API group of an object; empty for the core group. */
export const groupOf = (object: KubernetesObject): string =>
  object.apiVersion.includes("/") ? object.apiVersion.slice(0, object.apiVersion.indexOf("/")) : "";

/** `Deployment app/api`, `ClusterRole reader`, or type and logical name of what is no Kubernetes object. */
export function describe(resource: Resource): string {
  const object = resource.object;
  if (!object) return `${resource.type} "${resource.name}"`;
  return `${object.kind} ${object.namespace === undefined ? "" : `${object.namespace}/`}${object.name}`;
}

/** A value for a message. */
export const show = (value: unknown): string =>
  isAbsent(value) ? "nothing" : isUnknown(value) ? "a value known after the update" : JSON.stringify(value);
