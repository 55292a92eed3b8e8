import { systemNamespaces } from "../kinds";
import { RenderedObject, titleOf } from "./objects";

/** Tells objects by what is in them. */
type Shape = (object: RenderedObject, all: readonly RenderedObject[]) => boolean;

/** The object of that title: `Kind/namespace/name`, or `Kind/name`. */
export const named =
  (title: string): Shape =>
  (object) =>
    titleOf(object) === title;

export const ofKind =
  (kind: string): Shape =>
  (object) =>
    object.kind === kind;

/** An object of that kind stands in the same namespace. */
export const beside =
  (kind: string): Shape =>
  ({ metadata: { namespace } }, all) =>
    all.some((other) => other.kind === kind && other.metadata.namespace === namespace);

export const inNoNamespace: Shape = ({ metadata }) => metadata.namespace === undefined;

/** In a namespace that Kubernetes makes itself; the namespace `default` among them, in which there are no pods. */
export const inSystemNamespace: Shape = ({ metadata: { namespace } }) =>
  namespace !== undefined && (namespace === "default" || systemNamespaces.has(namespace));

/** Every rule of a role about that resource is bound to names of objects, but for `create`, which can't be. */
export const onlyNamed =
  (resource: string): Shape =>
  ({ rules }) =>
    ((rules ?? []) as Rule[])
      .filter(({ resources }) => [resource, "*"].some((one) => resources?.includes(one)))
      .every(
        ({ verbs, resourceNames }) => verbs.every((verb) => verb === "create") || (resourceNames ?? []).length > 0,
      );

interface Rule {
  resources?: string[];
  verbs: string[];
  resourceNames?: string[];
}

/** The pod of a workload. */
const podOf = ({ spec }: RenderedObject): PodSpec | undefined =>
  (spec?.template?.spec ?? spec?.jobTemplate?.spec?.template?.spec) as PodSpec | undefined;

interface PodSpec {
  automountServiceAccountToken?: boolean;
  topologySpreadConstraints?: unknown[];
  containers: { livenessProbe?: Probe; readinessProbe?: Probe }[];
}

interface Probe {
  periodSeconds?: number;
  failureThreshold?: number;
}

export const mountsNoTokenItself: Shape = (object) => podOf(object)?.automountServiceAccountToken === false;

export const spreads: Shape = (object) => (podOf(object)?.topologySpreadConstraints ?? []).length > 0;

export const recreated: Shape = ({ spec }) => spec?.strategy?.type === "Recreate";

/** Kubernetes' own defaults where a probe says nothing. */
const patience = ({ periodSeconds = 10, failureThreshold = 3 }: Probe): number => periodSeconds * failureThreshold;

/** In every container liveness takes longer to give up than readiness. */
export const livesLonger: Shape = (object) =>
  (podOf(object)?.containers ?? []).every(
    ({ livenessProbe, readinessProbe }) =>
      !livenessProbe || !readinessProbe || patience(livenessProbe) > patience(readinessProbe),
  );

/** A NetworkPolicy for pods that an operator makes in the cluster: CloudNativePG's instances, cert-manager's solvers. */
export const forMadePods: Shape = ({ kind, spec }) =>
  kind === "NetworkPolicy" &&
  Object.keys((spec?.podSelector?.matchLabels ?? {}) as object).some((label) =>
    /^(cnpg\.io|acme\.cert-manager\.io)\//.test(label),
  );
