import { targets } from "../cel";
import { cis, groundwork, nsa, objectRule } from "../rule";
import { isAbsent, isUnknown, list } from "../unknown";

/** A node port is open on every address of every node, past the edge and its TLS. */
export const noNodePorts = objectRule(
  {
    id: "no-node-ports",
    title: "Services open no node ports",
    severity: "high",
    controls: [cis("5.6.1"), nsa("Network policies"), groundwork("One way in")],
    scanners: { kubeScore: ["service-type"] },
    cluster: {
      per: "object",
      of: [targets.services],
      valid:
        "object.spec.?type.orValue('') != 'NodePort' && (object.spec.?type.orValue('') == 'LoadBalancer' || object.spec.?ports.orValue([]).all(p, p.?nodePort.orValue(0) == 0))",
    },
    remediation: "Use a ClusterIP Service and a route of the edge.",
  },
  ["Service"],
  ({ spec }) => {
    const ports = list<any>(spec?.ports).map((port) => port?.nodePort);
    return [
      ...(spec?.type === "NodePort" ? ["is of type NodePort"] : []),
      ...ports
        .filter((port) => !isAbsent(port) && !isUnknown(port) && port !== 0)
        .map((port) => `asks for node port ${port}`),
    ];
  },
);
