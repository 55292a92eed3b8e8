import { baseline, cis, containerRule } from "../rule";
import { isAbsent, isUnknown, list } from "../unknown";

/** A host port opens the node's own address to the container, past Services and NetworkPolicies. */
export const noHostPorts = containerRule(
  {
    id: "no-host-ports",
    title: "Containers open no ports on the host",
    severity: "high",
    controls: [cis("5.2.13"), baseline("Host Ports")],
    scanners: { trivy: ["KSV-0024"] },
    cluster: { per: "container", valid: "c.?ports.orValue([]).all(p, p.?hostPort.orValue(0) == 0)" },
    remediation: "Remove hostPort and expose the port through a Service.",
  },
  (container) =>
    list(container.spec.ports)
      .map((port) => port?.hostPort)
      .filter((port) => !isAbsent(port) && !isUnknown(port) && port !== 0)
      .map((port) => `opens host port ${port}`),
);
