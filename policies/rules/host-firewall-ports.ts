import { inputChains } from "../nftables";
import { describe } from "../resource";
import { groundwork, nsa, ResourceRule } from "../rule";
import { textsOf } from "../scripts";
import { allListed, worldPorts } from "../world";

/** The machine's own firewall, which is all there is where no cloud stands before it. */
export const hostFirewallPorts: ResourceRule = {
  id: "host-firewall-ports",
  title: "Machines' firewalls open the listed ports only to the world",
  severity: "critical",
  controls: [nsa("Control plane hardening"), groundwork("Open to the world: HTTPS, its redirect and WireGuard")],
  remediation: "Name the networks with ip saddr, drop the rest, or list the port in groundwork:policies.worldPorts.",
  configSchema: { properties: { worldPorts: { type: "object" } } },
  scope: "resource",
  check: (resource, report, config) => {
    const allowed = worldPorts(config);
    for (const [key, text] of textsOf(resource)) {
      for (const { name, dropsByDefault, open } of inputChains(text)) {
        const at = `${describe(resource)} has in "${key}" the nftables chain "${name}" that`;
        if (!dropsByDefault) report(`${at} accepts what no rule is about`);
        for (const { protocol, ports } of open) {
          if (!protocol || ports.length === 0) report(`${at} accepts everything from the world`);
          const other = ports.filter((port) => !allListed(port, allowed[protocol!]));
          if (other.length > 0) report(`${at} opens ${protocol} port ${other.join(", ")} to the world`);
        }
      }
    }
  },
};
