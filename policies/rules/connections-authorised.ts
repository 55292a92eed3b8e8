import { maybeElsewhere } from "../namespaces";
import { Network, PlacedPod, TrafficPolicy } from "../network";
import { describe } from "../resource";
import { cis, groundwork, nsa, stackRule } from "../rule";
import { hasUnknown, isUnknown } from "../unknown";

const title = ({ pod }: PlacedPod): string => describe(pod.resource);
const shown = (port: any): string =>
  isUnknown(port) ? "a port" : port === undefined ? "any port" : `port ${port.port}`;

/** One side of connections: who may go out to whom, or who lets whom in, and on which ports. */
function* sides(network: Network, policy: TrafficPolicy, direction: "ingress" | "egress") {
  for (const { peers, ports } of policy[direction]) {
    for (const peer of peers) {
      for (const other of network.named(peer, policy.namespace)) {
        for (const port of ports.length === 0 ? [undefined] : ports) yield { other, port };
      }
    }
  }
}

/** Half a connection is a mistake: nothing works over it, or something was left open when its other end went. */
export const connectionsAuthorised = stackRule(
  {
    id: "connections-authorised",
    title: "What one side's NetworkPolicies allow, the other side's allow, too",
    severity: "medium",
    controls: [cis("5.3.2"), nsa("Network policies"), groundwork("Wiring is the security model")],
    remediation: "Consume the endpoint with uses, which writes both policies, or remove the half that is left.",
  },
  (resources, report) => {
    if (maybeElsewhere(resources, "NetworkPolicy")) return;
    const network = new Network(resources);
    for (const policy of network.policies) {
      if (hasUnknown(policy.selector)) continue;
      const own = network.selected(policy);
      for (const { other: server, port } of sides(network, policy, "egress")) {
        const accepted = own.every((client) => network.allows("ingress", server, client, port, server));
        if (!accepted) {
          report(
            policy.resource,
            `${describe(policy.resource)} lets pods out to ${title(server)} on ${shown(port)}, which does not let them in`,
          );
        }
      }
      for (const { other: client, port } of sides(network, policy, "ingress")) {
        const out = own.every((server) => network.allows("egress", client, server, port, server));
        if (!out) {
          report(
            policy.resource,
            `${describe(policy.resource)} lets ${title(client)} in on ${shown(port)}, which is not let out`,
          );
        }
      }
    }
  },
);
