import { targets } from "../cel";
import { groundwork, nsa, objectRule } from "../rule";
import { isUnknown, list } from "../unknown";

/** HTTPS, and HTTP for the redirect to it. */
const allowed = [443, 80];

/** Every other port that is opened to the world is a way in past the edge, its TLS and its logs. */
export const loadBalancerPorts = objectRule(
  {
    id: "load-balancer-ports",
    title: "Load balancers open the ports of HTTPS and its redirect only",
    severity: "high",
    controls: [nsa("Encryption"), groundwork("TLS on every way in")],
    cluster: {
      per: "object",
      of: [targets.services],
      valid: `object.spec.?type.orValue('') != 'LoadBalancer' || object.spec.ports.all(p, p.port in [${allowed.join(", ")}])`,
    },
    remediation: "Put the service behind the edge, or exempt it if it speaks TLS of its own.",
  },
  ["Service"],
  ({ spec }) => {
    if (spec?.type !== "LoadBalancer") return undefined;
    const ports = list<any>(spec.ports).map((port) => port?.port);
    return ports
      .filter((port) => !isUnknown(port) && !allowed.includes(port))
      .map((port) => `opens port ${port} to the world`);
  },
);
