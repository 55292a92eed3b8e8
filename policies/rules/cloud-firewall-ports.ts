import { describe } from "../resource";
import { groundwork, nsa, ResourceRule } from "../rule";
import { isUnknown, list } from "../unknown";
import { allListed, everywhere, worldPorts } from "../world";

/** Every other port that answers everyone is tried by everyone: SSH and the API server have named networks. */
export const cloudFirewallPorts: ResourceRule = {
  id: "cloud-firewall-ports",
  title: "Cloud firewalls open the listed ports only to the world",
  severity: "critical",
  controls: [nsa("Control plane hardening"), groundwork("Open to the world: HTTPS, its redirect and WireGuard")],
  remediation: "Name the networks in sourceIps, or list the port in groundwork:policies.worldPorts.",
  configSchema: { properties: { worldPorts: { type: "object" } } },
  scope: "resource",
  check: (resource, report, config) => {
    if (resource.type !== "hcloud:index/firewall:Firewall") return;
    const allowed = worldPorts(config);
    for (const rule of list<any>(resource.props["rules"])) {
      if (isUnknown(rule) || isUnknown(rule?.direction) || rule?.direction === "out") continue;
      const open = list<string>(rule?.sourceIps).some((source) => everywhere.includes(source));
      const { protocol, port } = rule ?? {};
      if (!open || isUnknown(protocol) || isUnknown(port) || protocol === "icmp") continue;
      const listed = protocol === "tcp" ? allowed.tcp : protocol === "udp" ? allowed.udp : [];
      if (allListed(String(port ?? "any"), listed)) continue;
      report(`${describe(resource)} opens ${protocol} port ${port ?? "any"} to the world`);
    }
  },
};
