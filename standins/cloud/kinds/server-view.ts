import { choose, locations, serverTypes, systemImages } from "../catalogue";
import { firewallsOf } from "../converge";
import type { Core } from "../core";
import type { PrimaryIp, Server } from "../model";
import { viewServerType, viewSystemImage } from "../views";
import { viewImage } from "./images";
import { placementGroups } from "./simple";

/** The address of a network of 64 bits that a server has. */
export const firstAddress = (network: string): string => network.replace("/64", "1");

function publicNet(core: Core, server: Server): object {
  const v4 = core.state.find("primary_ips", server.ipv4);
  const v6 = core.state.find("primary_ips", server.ipv6);
  const pointer = (ip: PrimaryIp) => ip.dns_ptr[0]?.dns_ptr ?? "";
  return {
    ipv4: v4 ? { id: v4.id, ip: v4.ip, blocked: false, dns_ptr: pointer(v4) } : null,
    ipv6: v6 ? { id: v6.id, ip: v6.ip, blocked: false, dns_ptr: v6.dns_ptr } : null,
    floating_ips: core.state
      .all("floating_ips")
      .filter((f) => f.server === server.id)
      .map((f) => f.id),
    firewalls: firewallsOf(core, server.id).map(({ id }) => ({ id, status: firewallStatus(core, id, server.id) })),
  };
}

/** A firewall counts as applied when no action that applies it still runs. */
function firewallStatus(core: Core, firewall: number, server: number): "applied" | "pending" {
  const pending = core.state.actions.some(
    (a) =>
      a.status === "running" &&
      a.command === "apply_firewall" &&
      core.about(a, "firewalls", firewall) &&
      core.about(a, "servers", server),
  );
  return pending ? "pending" : "applied";
}

export function viewServer(core: Core, server: Server): object {
  const { id, name, status, created, labels, protection, primary_disk_size, backup_window, rescue_enabled } = server;
  const group = core.state.find("placement_groups", server.placement_group);
  const snapshot = core.state.find("images", server.image);
  const system = systemImages.find((i) => i.id === server.image);
  return {
    id,
    name,
    status,
    created,
    public_net: publicNet(core, server),
    private_net: server.private_net.map((n) => ({
      network: n.networkId,
      ip: n.ip,
      alias_ips: n.aliasIps,
      mac_address: n.mac,
    })),
    server_type: viewServerType(core.faults, choose(serverTypes, server.server_type, "server_type")),
    location: choose(locations, server.location, "location"),
    included_traffic: 21_990_232_555_520,
    outgoing_traffic: 0,
    ingoing_traffic: 0,
    backup_window,
    rescue_enabled,
    iso: null,
    locked: core.isLocked("servers", id),
    image: system ? viewSystemImage(system) : snapshot ? viewImage(snapshot) : null,
    protection,
    labels,
    volumes: core.state
      .all("volumes")
      .filter((v) => v.server === id)
      .map((v) => v.id),
    primary_disk_size,
    placement_group: group ? placementGroups.view(core, group) : null,
    load_balancers: core.state
      .all("load_balancers")
      .filter((b) => b.targets.some((t) => t.server?.id === id))
      .map((b) => b.id),
  };
}
