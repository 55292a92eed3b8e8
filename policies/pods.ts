import { cnpgPod } from "./cnpg";
import { describe, groupOf, Resource } from "./resource";
import { isAbsent, isUnknown, list } from "./unknown";

/** The part of a container's spec that rules look at. */
export interface ContainerSpec {
  name?: string;
  image?: string;
  command?: string[];
  args?: string[];
  env?: { name?: string; value?: string; valueFrom?: { secretKeyRef?: { name?: string; key?: string } } }[];
  envFrom?: { secretRef?: { name?: string }; configMapRef?: { name?: string } }[];
  ports?: { containerPort?: number; hostPort?: number }[];
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  livenessProbe?: Record<string, any>;
  readinessProbe?: Record<string, any>;
  startupProbe?: Record<string, any>;
  lifecycle?: Record<string, any>;
  restartPolicy?: string;
  securityContext?: SecurityContext;
}

/** Security context of a container; the pod's shares most of its fields. */
export interface SecurityContext {
  privileged?: boolean;
  allowPrivilegeEscalation?: boolean;
  readOnlyRootFilesystem?: boolean;
  runAsNonRoot?: boolean;
  runAsUser?: number;
  runAsGroup?: number;
  fsGroup?: number;
  supplementalGroups?: number[];
  procMount?: string;
  capabilities?: { add?: string[]; drop?: string[] };
  seccompProfile?: { type?: string };
  appArmorProfile?: { type?: string };
  seLinuxOptions?: { type?: string; user?: string; role?: string };
  windowsOptions?: { hostProcess?: boolean };
  sysctls?: { name?: string; value?: string }[];
}

/** The part of a pod's spec that rules look at. */
export interface PodSpec {
  containers?: ContainerSpec[];
  initContainers?: ContainerSpec[];
  ephemeralContainers?: ContainerSpec[];
  securityContext?: SecurityContext;
  volumes?: Record<string, any>[];
  hostNetwork?: boolean;
  hostPID?: boolean;
  hostIPC?: boolean;
  hostUsers?: boolean;
  automountServiceAccountToken?: boolean;
  serviceAccountName?: string;
  priorityClassName?: string;
  topologySpreadConstraints?: unknown[];
  affinity?: { podAntiAffinity?: Record<string, unknown> };
}

/** A pod, or the template of pods, found in a resource. */
export interface Pod {
  resource: Resource;
  spec: PodSpec;
  metadata: { labels?: Record<string, string>; annotations?: Record<string, string> };
  /** Copies that are asked for; unset where the kind has no such number. */
  replicas?: number;
  /** Whether it is meant to run until it is stopped: jobs are not. */
  service: boolean;
  /** Path inside the resource, for resources with several pods. */
  path: string;
  /** Whether an operator adds the probes itself, so that they are not to be seen in the resource. */
  operatorProbes?: boolean;
}

/** A container with its place. */
export interface Container {
  spec: ContainerSpec;
  /** `container "api"`, `init container "migrate"`. */
  title: string;
  role: "container" | "init container" | "ephemeral container";
}

/** Where each built-in kind keeps its pod template; the pod's own kind is the template itself. */
const templates: Record<string, readonly string[]> = {
  Pod: [],
  PodTemplate: ["template"],
  Deployment: ["spec", "template"],
  StatefulSet: ["spec", "template"],
  DaemonSet: ["spec", "template"],
  ReplicaSet: ["spec", "template"],
  ReplicationController: ["spec", "template"],
  Job: ["spec", "template"],
  CronJob: ["spec", "jobTemplate", "spec", "template"],
};

/**
 * The spec of the pod in a resource's own properties, to be changed there; undefined for kinds that keep it in no fixed place,
 * or that have none.
 */
export const podSpecIn = (resource: Resource, props: Record<string, any>): PodSpec | undefined =>
  templates[resource.object?.kind ?? ""]?.reduce<any>((value, key) => value?.[key], props)?.spec;

/**
 * The pods of a resource: in the place where its kind keeps them, for a CloudNativePG Cluster the pod that its
 * operator makes of it, and in any other kind (lists, custom resources) wherever something has `containers`.
 */
export function podsOf(resource: Resource): Pod[] {
  const object = resource.object;
  if (!object || object.patch || object.kind === "CustomResourceDefinition") return [];
  if (object.kind === "Cluster" && groupOf(object) === "postgresql.cnpg.io") return [cnpgPod(resource)];
  const path = templates[object.kind];
  if (!path) return find(resource, resource.props, []);
  const template = path.reduce<any>((value, key) => value?.[key], resource.props);
  return isUnknown(template) || isAbsent(template?.spec) ? [] : [toPod(resource, template, path)];
}

function toPod(resource: Resource, template: any, path: readonly string[]): Pod {
  const spec = resource.props["spec"];
  const kind = resource.object?.kind ?? "";
  const scalable = ["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"].includes(kind);
  return {
    resource,
    spec: template.spec,
    metadata: template.metadata ?? {},
    ...(scalable && { replicas: isAbsent(spec?.replicas) ? 1 : spec.replicas }),
    service: kind !== "Job" && kind !== "CronJob",
    path: path.join("."),
  };
}

function find(resource: Resource, value: any, path: readonly string[]): Pod[] {
  if (typeof value !== "object" || value === null) return [];
  const looksLikePod = list(value.spec?.containers).some((container: any) => !isAbsent(container?.name));
  const here = looksLikePod ? [toPod(resource, value, path)] : [];
  return here.concat(
    Object.entries(value).flatMap(([key, child]) =>
      looksLikePod && key === "spec" ? [] : find(resource, child, [...path, key]),
    ),
  );
}

/** All containers of a pod, init and ephemeral ones included. */
export function containersOf(pod: Pod): Container[] {
  const of = (specs: ContainerSpec[] | undefined, role: Container["role"]): Container[] =>
    list(specs)
      .filter((spec) => !isUnknown(spec) && !isAbsent(spec))
      .map((spec, index) => ({
        spec,
        role,
        title: `${role} "${isUnknown(spec.name) ? index : (spec.name ?? index)}"`,
      }));
  return [
    ...of(pod.spec.initContainers, "init container"),
    ...of(pod.spec.containers, "container"),
    ...of(pod.spec.ephemeralContainers, "ephemeral container"),
  ];
}

/** The resource of a pod for messages, with the path inside it where the kind has no fixed place. */
export function podTitle(pod: Pod): string {
  const fixed = (pod.resource.object?.kind ?? "") in templates || pod.path === "";
  return fixed ? describe(pod.resource) : `${describe(pod.resource)} (${pod.path})`;
}

/** A field of a container's security context, or the pod's where the container leaves it open. */
export function effective<K extends keyof SecurityContext>(pod: Pod, container: Container, key: K): SecurityContext[K] {
  const own = container.spec.securityContext?.[key];
  return isAbsent(own) ? pod.spec.securityContext?.[key] : own;
}
