import { systemNamespaces } from "./kinds";
import { selects } from "./namespaces";
import { containersOf, Pod, podsOf } from "./pods";
import { groupOf, Resource } from "./resource";
import { hasUnknown, isAbsent, isUnknown, list } from "./unknown";

/** The label that the API server puts on every namespace. */
const nameLabel = "kubernetes.io/metadata.name";

/** Pods of one template with the namespace that they run in. */
export interface PlacedPod {
  pod: Pod;
  namespace: string;
  labels: Record<string, string>;
}

/** One rule of a NetworkPolicy: who and which ports. Empty lists mean everyone and everything, as in the API. */
interface TrafficRule {
  peers: readonly any[];
  ports: readonly any[];
}

/** A NetworkPolicy of the graph. */
export interface TrafficPolicy {
  resource: Resource;
  namespace: string;
  selector: any;
  ingress: readonly TrafficRule[];
  egress: readonly TrafficRule[];
}

/** What the graph says of pods and of the traffic that they are allowed. */
export class Network {
  readonly pods: readonly PlacedPod[];
  readonly policies: readonly TrafficPolicy[];
  private readonly namespaceLabels: ReadonlyMap<string, Record<string, string>>;

  constructor(resources: readonly Resource[]) {
    this.pods = resources.flatMap(podsOf).flatMap((pod): PlacedPod[] => {
      const namespace = pod.resource.object?.namespace;
      return namespace === undefined ? [] : [{ pod, namespace, labels: pod.metadata.labels ?? {} }];
    });
    this.policies = resources.flatMap(toPolicy);
    this.namespaceLabels = new Map(
      resources
        .filter(({ object }) => object?.kind === "Namespace" && groupOf(object) === "")
        .map(({ object, props }) => [object!.name, { ...props["metadata"]?.labels, [nameLabel]: object!.name }]),
    );
  }

  /** The pods that a policy is about. */
  selected = ({ namespace, selector }: TrafficPolicy): PlacedPod[] =>
    this.pods.filter((pod) => pod.namespace === namespace && selects(selector, pod.labels));

  /** Whether a peer of a policy in `home` is a certain pod. */
  private isPeer(peer: any, home: string, pod: PlacedPod): boolean {
    if (isUnknown(peer)) return true;
    if (isAbsent(peer?.podSelector) && isAbsent(peer?.namespaceSelector)) return false;
    const labels = this.namespaceLabels.get(pod.namespace) ?? { [nameLabel]: pod.namespace };
    const there = isAbsent(peer.namespaceSelector) ? pod.namespace === home : selects(peer.namespaceSelector, labels);
    return there && (isAbsent(peer.podSelector) || selects(peer.podSelector, pod.labels));
  }

  /**
   * The pods that a peer names one by one; none where it means every pod of a namespace, addresses, or pods of the system, about
   * which the graph says nothing.
   */
  named(peer: any, home: string): PlacedPod[] {
    const selector = peer?.podSelector;
    const byName = !hasUnknown(peer) && !isAbsent(selector) && restricts(selector);
    return byName
      ? this.pods.filter((pod) => !systemNamespaces.has(pod.namespace) && this.isPeer(peer, home, pod))
      : [];
  }

  /** Whether some policy lets `pod` take (`ingress`) or open (`egress`) connections with `other` on a port. */
  allows(direction: "ingress" | "egress", pod: PlacedPod, other: PlacedPod, port: any, server: PlacedPod): boolean {
    return this.policies.some(
      (policy) =>
        policy.namespace === pod.namespace &&
        selects(policy.selector, pod.labels) &&
        policy[direction].some(
          ({ peers, ports }) =>
            (peers.length === 0 || peers.some((peer) => this.isPeer(peer, policy.namespace, other))) &&
            (ports.length === 0 || ports.some((one) => samePort(one, port, server))),
        ),
    );
  }

  /** Whether someone may reach a pod on a port: another pod, an address, or everyone. */
  reached = (pod: PlacedPod, port: any): boolean =>
    this.policies.some(
      (policy) =>
        policy.namespace === pod.namespace &&
        selects(policy.selector, pod.labels) &&
        policy.ingress.some(({ ports }) => ports.length === 0 || ports.some((one) => samePort(one, port, pod))),
    );
}

const restricts = (selector: any): boolean =>
  Object.keys(selector.matchLabels ?? {}).length + list(selector.matchExpressions).length > 0;

function toPolicy(resource: Resource): TrafficPolicy[] {
  const { object, props } = resource;
  if (object?.kind !== "NetworkPolicy" || object.namespace === undefined) return [];
  const spec = props["spec"];
  /** What is not known yet may be a rule for everyone and everything. */
  const rules = (direction: "ingress" | "egress", peers: "from" | "to"): TrafficRule[] =>
    isUnknown(spec?.[direction])
      ? [{ peers: [], ports: [] }]
      : list<any>(spec?.[direction]).map((rule) => ({ peers: asList(rule?.[peers]), ports: asList(rule?.ports) }));
  const selector = isUnknown(spec) ? spec : (spec?.podSelector ?? {});
  return [
    {
      resource,
      namespace: object.namespace,
      selector,
      ingress: rules("ingress", "from"),
      egress: rules("egress", "to"),
    },
  ];
}

/** A list that is not known yet stands for one peer or port that may be any. */
const asList = (value: any): readonly any[] => (isUnknown(value) ? [value] : list<any>(value));

/** The number of a port that may be given by the name that a container has for it. */
export function portNumber(port: any, server: PlacedPod): unknown {
  if (typeof port !== "string" || /^\d+$/.test(port)) return typeof port === "string" ? Number(port) : port;
  const found = containersOf(server.pod)
    .flatMap(({ spec }) => list<any>(spec.ports))
    .find(({ name }) => name === port);
  return found?.containerPort ?? port;
}

/** Whether a policy's port covers a port; ranges included. */
function samePort(policyPort: any, port: any, server: PlacedPod): boolean {
  if (isUnknown(policyPort) || isUnknown(port) || isUnknown(policyPort?.port)) return true;
  if (isAbsent(policyPort?.port)) return true;
  const [wanted, given] = [portNumber(port?.port ?? port, server), portNumber(policyPort.port, server)];
  if (isUnknown(wanted)) return true;
  const sameProtocol = (policyPort.protocol ?? "TCP") === (port?.protocol ?? "TCP") || isUnknown(policyPort.protocol);
  const end = isAbsent(policyPort.endPort) ? given : policyPort.endPort;
  return sameProtocol && (wanted === given || (Number(wanted) >= Number(given) && Number(wanted) <= Number(end)));
}
