import { CloudError } from "../backend";
import {
  type Cidr,
  contains,
  formatCidr,
  freeCidr,
  freeIp,
  holds,
  isPrivate,
  overlap,
  parseCidr,
  parseIp,
} from "../addresses";
import { locations, networkZones } from "../catalogue";
import { gatewayOf } from "../converge";
import { type Core, job } from "../core";
import { invalid, notFound } from "../errors";
import * as input from "../input";
import type { Answer, KindApi } from "../kind";
import type { Network } from "../model";

type Subnet = Network["subnets"][number];

function cidr(text: string, field: string): Cidr {
  const found = parseCidr(text);
  if (!found) throw invalid(field, "must be a network in CIDR notation");
  return found;
}

function subnetOf(network: Pick<Network, "ip_range" | "subnets">, body: input.Body): Subnet {
  const type = input.oneOf(body, "type", ["cloud", "server", "vswitch"]);
  const zone = input.oneOf(body, "network_zone", networkZones);
  const outer = cidr(network.ip_range, "ip_range");
  const taken = network.subnets.map((s) => cidr(s.ip_range, "ip_range"));
  const given = input.optionalText(body, "ip_range");
  const range = given ? cidr(given, "ip_range") : freeCidr(outer, Math.max(24, outer.bits), taken);
  if (!range || !contains(outer, range)) throw invalid("ip_range", "must lie within the network's range");
  if (range.bits > 30) throw invalid("ip_range", "must be a /30 or larger");
  if (taken.some((t) => overlap(t, range))) throw invalid("ip_range", "overlaps with another subnet");
  if (network.subnets.length >= 50) throw invalid("subnets", "there may be 50 at most");
  const vswitch = input.optionalId(body, "vswitch_id");
  if (type === "vswitch" && vswitch === undefined) throw invalid("vswitch_id", "is required");
  return {
    type,
    ip_range: formatCidr(range),
    network_zone: zone,
    ...(vswitch === undefined ? {} : { vswitch_id: vswitch }),
  };
}

function routeOf(network: Pick<Network, "ip_range" | "routes">, body: input.Body): Network["routes"][number] {
  const destination = cidr(input.text(body, "destination"), "destination");
  const gateway = input.text(body, "gateway");
  const ip = parseIp(gateway);
  const outer = cidr(network.ip_range, "ip_range");
  if (ip === undefined || !holds(outer, ip)) throw invalid("gateway", "must be an address of the network");
  if (ip === outer.base + 1) throw invalid("gateway", "must not be the network's own gateway");
  if (network.routes.some((r) => r.destination === formatCidr(destination))) {
    throw invalid("destination", "there is a route to it");
  }
  if (destination.bits > 0 && overlap(outer, destination) && !contains(destination, outer)) {
    throw invalid("destination", "must not lie within the network's range");
  }
  if (network.routes.length >= 100) throw invalid("routes", "there may be 100 at most");
  return { destination: formatCidr(destination), gateway };
}

/** Everything that has an address in the network. */
export const attached = (core: Core, network: number) => ({
  servers: core.state.all("servers").filter((s) => s.private_net.some((n) => n.networkId === network)),
  balancers: core.state.all("load_balancers").filter((b) => b.private_net.some((n) => n.network === network)),
});

/** Addresses of a network that are in use. */
export function usedAddresses(core: Core, network: number): Set<string> {
  const { servers, balancers } = attached(core, network);
  return new Set([
    ...servers.flatMap((s) =>
      s.private_net.filter((n) => n.networkId === network).flatMap((n) => [n.ip, ...n.aliasIps]),
    ),
    ...balancers.flatMap((b) => b.private_net.filter((n) => n.network === network).map((n) => n.ip)),
  ]);
}

/** Chooses an address, the wanted one if it can be had; throws what the API says of those that can't. */
export function chooseAddress(core: Core, network: Network, location: string, body: input.Body, field = "ip"): string {
  const zone = locations.find((l) => l.name === location)!.network_zone;
  const range = input.optionalText(body, "ip_range");
  const subnets = network.subnets.filter(
    (s) => s.network_zone === zone && s.type !== "vswitch" && (range === undefined || s.ip_range === range),
  );
  if (subnets.length === 0) throw new CloudError("no_subnet_available", `no subnet of the network is in zone ${zone}`);
  const used = usedAddresses(core, network.id);
  const reserved = [gatewayOf(network), "172.31.1.1"];
  const wanted = input.optionalText(body, field);
  if (wanted === undefined) {
    const found = subnets.map((s) => freeIp(parseCidr(s.ip_range)!, used, reserved)).find((ip) => ip !== undefined);
    if (!found) throw new CloudError("no_subnet_available", "no address is left in the network's subnets");
    return found;
  }
  const ip = parseIp(wanted);
  if (ip === undefined) throw invalid(field, "must be an IPv4 address");
  const fits = subnets.some((s) => {
    const net = parseCidr(s.ip_range)!;
    return holds(net, ip) && ip !== net.base && ip !== net.base + 2 ** (32 - net.bits) - 1;
  });
  if (!fits || used.has(wanted) || reserved.includes(wanted)) {
    throw new CloudError("ip_not_available", `the address ${wanted} is not available`);
  }
  return wanted;
}

const changeNetwork = job<{ id: number; change: Partial<Network> }>("change-network", async (core, { id, change }) => {
  const network = core.state.get("networks", id);
  const before = { ...network };
  Object.assign(network, change);
  core.state.touch();
  try {
    await core.converger.converge();
  } catch (e) {
    Object.assign(network, before);
    throw e;
  }
});

function change(core: Core, network: Network, command: string, wanted: Partial<Network>): Answer {
  core.mustBeFree("networks", network.id);
  const action = core.start({
    command,
    on: [["networks", network.id]],
    job: changeNetwork.with({ id: network.id, change: wanted }),
  });
  return { status: 201, action };
}

export const networks: KindApi<"networks"> = {
  kind: "networks",
  view(core, { subnets, ...network }) {
    const { servers, balancers } = attached(core, network.id);
    return {
      ...network,
      subnets: subnets.map((s) => ({ ...s, gateway: gatewayOf({ ...network, subnets }) })),
      servers: servers.map((s) => s.id),
      load_balancers: balancers.map((b) => b.id),
    };
  },
  async create(core, body) {
    const range = cidr(input.text(body, "ip_range"), "ip_range");
    if (!isPrivate(range) || range.bits > 24) throw invalid("ip_range", "must be a private network of /24 or larger");
    const draft = { ip_range: formatCidr(range), subnets: [] as Subnet[], routes: [] as Network["routes"] };
    for (const s of input.objects(body, "subnets")) draft.subnets.push(subnetOf(draft, s));
    for (const r of input.objects(body, "routes")) draft.routes.push(routeOf(draft, r));
    const base = core.base("networks", input.name(body), input.labels(body));
    const expose = input.boolean(body, "expose_routes_to_vswitch", false);
    core.state.add("networks", { ...base, ...draft, protection: { delete: false }, expose_routes_to_vswitch: expose });
    await core.converger.converge();
    return { status: 201, object: base.id };
  },
  update(core, network, body) {
    core.mustBeFree("networks", network.id);
    network.expose_routes_to_vswitch = input.boolean(
      body,
      "expose_routes_to_vswitch",
      network.expose_routes_to_vswitch,
    );
  },
  /** What is attached is detached, as the API says. */
  async remove(core, network) {
    core.mustBeFree("networks", network.id);
    const { servers, balancers } = attached(core, network.id);
    for (const s of servers) s.private_net = s.private_net.filter((n) => n.networkId !== network.id);
    for (const b of balancers) b.private_net = b.private_net.filter((n) => n.network !== network.id);
    await core.converger.converge();
    await core.converger.without(`network:${network.id}`, () => core.backend.deleteNetwork(network.id));
    core.converger.forget(`routes:${network.id}`);
    core.state.remove("networks", network.id);
  },
  actions: {
    add_subnet: (core, network, body) =>
      change(core, network, "add_subnet", { subnets: [...network.subnets, subnetOf(network, body)] }),
    delete_subnet(core, network, body) {
      const range = input.text(body, "ip_range");
      if (!network.subnets.some((s) => s.ip_range === range)) throw notFound("subnet", range);
      const inside = (ip: string) => holds(parseCidr(range)!, parseIp(ip)!);
      if ([...usedAddresses(core, network.id)].some(inside)) {
        throw new CloudError("service_error", "cannot remove subnet because servers are attached to it");
      }
      return change(core, network, "delete_subnet", { subnets: network.subnets.filter((s) => s.ip_range !== range) });
    },
    add_route: (core, network, body) =>
      change(core, network, "add_route", { routes: [...network.routes, routeOf(network, body)] }),
    delete_route(core, network, body) {
      const [destination, gateway] = [input.text(body, "destination"), input.text(body, "gateway")];
      const others = network.routes.filter((r) => r.destination !== destination || r.gateway !== gateway);
      if (others.length === network.routes.length) throw notFound("route", destination);
      return change(core, network, "delete_route", { routes: others });
    },
    change_ip_range(core, network, body) {
      const [now, next] = [cidr(network.ip_range, "ip_range"), cidr(input.text(body, "ip_range"), "ip_range")];
      if (next.base !== now.base || next.bits > now.bits) throw invalid("ip_range", "can only be extended at its end");
      return change(core, network, "change_ip_range", { ip_range: formatCidr(next) });
    },
    change_protection: (core, network, body) =>
      change(core, network, "change_protection", {
        protection: { delete: input.boolean(body, "delete", network.protection.delete) },
      }),
  },
};
