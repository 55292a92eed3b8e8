import { describe } from "../resource";
import { groundwork, nsa, stackRule } from "../rule";
import { isUnknown, list } from "../unknown";

/** The cloud's firewall stands before the machine has one of its own: from the first second of its first boot. */
export const cloudServerFirewall = stackRule(
  {
    id: "cloud-server-firewall",
    title: "Every cloud server is behind a firewall",
    severity: "high",
    controls: [nsa("Control plane hardening"), groundwork("A firewall from the first boot on")],
    remediation: "Give the server firewallIds; an attachment afterwards leaves it open while it boots.",
  },
  (resources, report) => {
    for (const server of resources.filter(({ type }) => type === "hcloud:index/server:Server")) {
      const { firewallIds } = server.props;
      if (isUnknown(firewallIds) || list(firewallIds).length > 0) continue;
      report(server, `${describe(server)} has no firewall`);
    }
  },
);
