import { maybeElsewhere, selects } from "../namespaces";
import { Network, portNumber } from "../network";
import { describe } from "../resource";
import { groundwork, nsa, stackRule } from "../rule";
import { isAbsent, isUnknown, list } from "../unknown";

/** A Service that nobody may reach is a way in that nobody looks after, or a connection that does not work. */
export const servicesReached = stackRule(
  {
    id: "services-reached",
    title: "Every Service selects pods, and a NetworkPolicy lets somebody reach them",
    severity: "medium",
    controls: [nsa("Network policies"), groundwork("No endpoint, no traffic")],
    scanners: { kubeScore: ["service-targets-pod"] },
    remediation: "Consume the Service's endpoint, remove it, or list it as unused with an exemption.",
  },
  (resources, report) => {
    if (maybeElsewhere(resources, "NetworkPolicy")) return;
    const network = new Network(resources);
    for (const service of resources.filter(({ object }) => object?.kind === "Service" && !object.patch)) {
      const spec = service.props["spec"];
      const namespace = service.object!.namespace;
      if (namespace === undefined || isUnknown(spec) || isUnknown(spec?.selector) || isAbsent(spec?.selector)) continue;
      const pods = network.pods.filter(
        (pod) => pod.namespace === namespace && selects({ matchLabels: spec.selector }, pod.labels),
      );
      if (pods.length === 0) report(service, `${describe(service)} selects no pod of the stack`);
      // A single copy has nobody of its own kind to talk to: the Service only gives it a name.
      if (spec.clusterIP === "None" && pods.every(({ pod }) => pod.replicas === 1)) continue;
      for (const port of list<any>(spec.ports)) {
        const target = isAbsent(port?.targetPort) ? port?.port : port.targetPort;
        const closed = pods.filter((pod) => {
          const numbered = { port: portNumber(target, pod), protocol: port?.protocol };
          return !isUnknown(target) && !isUnknown(port?.protocol) && !network.reached(pod, numbered);
        });
        if (closed.length > 0) report(service, `${describe(service)} is reached by nobody on port ${port?.port}`);
      }
    }
  },
);
