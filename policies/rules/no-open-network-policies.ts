import { literal, targets } from "../cel";
import { cis, nsa, objectRule } from "../rule";
import { isUnknown, list } from "../unknown";

const directions = [
  ["ingress", "from"],
  ["egress", "to"],
] as const;
const everywhere = ["0.0.0.0/0", "::/0"];

/** A rule without peers and ports, or with the whole internet on all ports, allows everything again. */
export const noOpenNetworkPolicies = objectRule(
  {
    id: "no-open-network-policies",
    title: "No NetworkPolicy allows everything",
    severity: "high",
    controls: [cis("5.3.2"), nsa("Network policies")],
    scanners: { trivy: ["KSV-0038"] },
    cluster: {
      per: "object",
      of: [targets.networkPolicies],
      valid: directions
        .map(
          ([direction, peers]) =>
            `object.spec.?${direction}.orValue([]).all(r, r.?ports.orValue([]).size() > 0 || (r.?${peers}.orValue([]).size() > 0 && r.${peers}.all(p, !(p.?ipBlock.?cidr.orValue('') in ${literal(everywhere)}))))`,
        )
        .join(" && "),
    },
    remediation: "Name the peers or the ports; an Endpoint that is consumed writes both policies.",
  },
  ["NetworkPolicy"],
  ({ spec }) =>
    directions.flatMap(([direction, peers]) =>
      list<any>(spec?.[direction])
        .filter((rule) => {
          if (isUnknown(rule) || isUnknown(rule?.[peers]) || isUnknown(rule?.ports)) return false;
          const blocks = list<any>(rule?.[peers]).map((peer) => peer?.ipBlock?.cidr);
          const open = list(rule?.[peers]).length === 0 || blocks.some((cidr) => everywhere.includes(cidr));
          return open && list(rule?.ports).length === 0;
        })
        .map(() => `has an ${direction} rule that allows everything`),
    ),
);
