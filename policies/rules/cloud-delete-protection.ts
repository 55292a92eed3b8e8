import { describe } from "../resource";
import { groundwork, kubernetes, ResourceRule } from "../rule";
import { isNot } from "../unknown";

/** What the cloud itself refuses to delete, by type: a wrong stack name or a stolen token does not take it. */
const protections: Record<string, readonly string[]> = {
  "hcloud:index/server:Server": ["deleteProtection", "rebuildProtection"],
  "hcloud:index/volume:Volume": ["deleteProtection"],
  "hcloud:index/loadBalancer:LoadBalancer": ["deleteProtection"],
  "hcloud:index/primaryIp:PrimaryIp": ["deleteProtection"],
  "hcloud:index/floatingIp:FloatingIp": ["deleteProtection"],
  "hcloud:index/network:Network": ["deleteProtection"],
};

/** Only in production: elsewhere a stack must go as easily as it came. */
export const cloudDeleteProtection: ResourceRule = {
  id: "cloud-delete-protection",
  title: "In production the cloud refuses to delete machines, volumes, addresses and networks",
  severity: "high",
  controls: [groundwork("A destroy never deletes too much"), kubernetes("Disruptions")],
  remediation: "Set deleteProtection, and rebuildProtection of servers, to true.",
  configSchema: { properties: { environment: { type: "string" } } },
  scope: "resource",
  check: (resource, report, config) => {
    if (config["environment"] !== "production") return;
    for (const field of protections[resource.type] ?? []) {
      if (isNot(resource.props[field], true)) report(`${describe(resource)} lacks ${field}`);
    }
  },
};
