import { CloudError, type TargetHealth } from "../backend";
import { balancerTypes, choose, locations } from "../catalogue";
import { addressFor, targetServers } from "../converge";
import { type Core, job } from "../core";
import { invalid, notFound } from "../errors";
import * as input from "../input";
import type { Answer, KindApi } from "../kind";
import type { BalancerTarget, Kind, LoadBalancer } from "../model";
import { viewBalancerType } from "../views";
import { checkService, sameTarget, serviceOf, targetNamed, targetOf } from "./balancer-parts";
import { chooseAddress } from "./networks";
import { freePublic } from "./primary-ips";

/** Tells the backend what was noted already; several changes of a balancer may be under way at once, as in the cloud. */
const convergeBalancer = job<{ id: number }>("converge-balancer", (core) => core.converger.converge());

function noted(core: Core, balancer: LoadBalancer, command: string, also: [Kind, number][] = []): Answer {
  core.state.touch();
  const done = convergeBalancer.with({ id: balancer.id });
  return { status: 201, action: core.start({ command, on: [["load_balancers", balancer.id], ...also], job: done }) };
}

function create(core: Core, body: input.Body): Answer {
  const type = choose(balancerTypes, input.idOrName(body, "load_balancer_type"), "load_balancer_type");
  const zone = input.optionalText(body, "network_zone");
  const named = input.idOrName(body, "location") ?? locations.find((l) => l.network_zone === zone)?.name;
  if (named === undefined) throw invalid("location", "either location or network_zone is required");
  const location = choose(locations, named, "location").name;
  if (core.faults.isSoldOut(type.name, location)) {
    throw new CloudError("resource_unavailable", `${type.name} is not available in ${location} now`);
  }
  const algorithm = body["algorithm"] === undefined ? {} : input.asObject(body["algorithm"] ?? {}, "algorithm");
  const networkId = input.optionalId(body, "network");
  const network = core.state.find("networks", networkId);
  if (networkId !== undefined && !network) throw invalid("network", `there is no network ${networkId}`);
  const name = input.name(body);
  const draft: LoadBalancer = {
    id: 0,
    name,
    created: "",
    labels: input.labels(body),
    load_balancer_type: type.name,
    location,
    algorithm: input.oneOf(algorithm, "type", ["round_robin", "least_connections"], "round_robin"),
    services: [],
    targets: [],
    public: input.boolean(body, "public_interface", true),
    ipv4: freePublic(core, "ipv4"),
    ipv6: freePublic(core, "ipv6").replace("::/64", "::1"),
    dns_ptr: {},
    private_net: network ? [{ network: network.id, ip: chooseAddress(core, network, location, {}) }] : [],
    protection: { delete: false },
  };
  for (const s of input.objects(body, "services")) {
    const service = serviceOf(s);
    checkService(draft, service);
    draft.services.push(service);
  }
  for (const t of input.objects(body, "targets")) draft.targets.push(targetOf(core, draft, t));
  const balancer = core.state.add("load_balancers", { ...draft, ...core.base("load_balancers", name, draft.labels) });
  return { ...noted(core, balancer, "create_load_balancer"), object: balancer.id };
}

/** Health of a target at every service, from what the backend sees at its address. */
function health(services: LoadBalancer["services"], address: string | undefined, seen: TargetHealth[]): object[] {
  return services.map(({ listen_port }) => ({
    listen_port,
    status: seen.find((h) => h.address === address && h.listenPort === listen_port)?.status ?? "unknown",
  }));
}

function viewTarget(core: Core, balancer: LoadBalancer, target: BalancerTarget, seen: TargetHealth[]): object {
  const one = (address: string | undefined) => health(balancer.services, address, seen);
  if (target.type === "ip")
    return { type: "ip", ip: target.ip, health_status: one(target.ip!.ip), use_private_ip: false };
  const servers = targetServers(core, target);
  const viewOf = (server: (typeof servers)[number]) => ({
    type: "server",
    server: { id: server.id },
    health_status: one(addressFor(core, balancer, target, server)),
    use_private_ip: target.use_private_ip,
  });
  if (target.type === "server") {
    return servers[0]
      ? viewOf(servers[0])
      : { type: "server", server: target.server, health_status: [], use_private_ip: target.use_private_ip };
  }
  return {
    type: "label_selector",
    label_selector: target.label_selector,
    use_private_ip: target.use_private_ip,
    targets: servers.map(viewOf),
  };
}

async function view(core: Core, balancer: LoadBalancer): Promise<object> {
  const seen = await core.backend.healthOf(balancer.id).catch(() => []);
  const pointer = (ip: string) => balancer.dns_ptr[ip] ?? null;
  const { id, name, labels, created, algorithm, services, targets, ipv4, ipv6, private_net, protection } = balancer;
  return {
    id,
    name,
    labels,
    created,
    public_net: {
      enabled: balancer.public,
      ipv4: { ip: ipv4, dns_ptr: pointer(ipv4) },
      ipv6: { ip: ipv6, dns_ptr: pointer(ipv6) },
    },
    private_net,
    location: choose(locations, balancer.location, "location"),
    load_balancer_type: viewBalancerType(choose(balancerTypes, balancer.load_balancer_type, "load_balancer_type")),
    protection,
    algorithm: { type: algorithm },
    services,
    targets: targets.map((t) => viewTarget(core, balancer, t, seen)),
    included_traffic: 21_990_232_555_520,
    outgoing_traffic: 0,
    ingoing_traffic: 0,
  };
}

type Act = KindApi<"load_balancers">["actions"][string];

const services: Record<string, Act> = {
  add_service(core, balancer, body) {
    const service = serviceOf(body);
    checkService(balancer, service);
    balancer.services.push(service);
    return noted(core, balancer, "add_service");
  },
  update_service(core, balancer, body) {
    const at = balancer.services.findIndex((s) => s.listen_port === body["listen_port"]);
    if (at < 0) throw notFound("service", String(body["listen_port"]));
    balancer.services[at] = serviceOf(body, balancer.services[at]);
    return noted(core, balancer, "update_service");
  },
  delete_service(core, balancer, body) {
    const port = input.integer(body, "listen_port", 1, 65_535);
    if (!balancer.services.some((s) => s.listen_port === port)) throw notFound("service", port);
    balancer.services = balancer.services.filter((s) => s.listen_port !== port);
    return noted(core, balancer, "delete_service");
  },
};

const parts: Record<string, Act> = {
  add_target(core, balancer, body) {
    const target = targetOf(core, balancer, body);
    balancer.targets.push(target);
    return noted(core, balancer, "add_target", target.server ? [["servers", target.server.id]] : []);
  },
  remove_target(core, balancer, body) {
    const named = targetNamed(body);
    const rest = balancer.targets.filter((t) => !sameTarget(t, named));
    if (rest.length === balancer.targets.length) {
      throw new CloudError("load_balancer_target_not_found", "load balancer target not found");
    }
    balancer.targets = rest;
    return noted(core, balancer, "remove_target");
  },
  attach_to_network(core, balancer, body) {
    const network = core.state.find("networks", input.id(body, "network"));
    if (!network) throw notFound("network", String(body["network"]));
    if (balancer.private_net.length > 0) {
      throw new CloudError("load_balancer_already_attached", "the load balancer is already attached to a network");
    }
    core.mustBeFree("networks", network.id);
    const ip = chooseAddress(core, network, balancer.location, body);
    balancer.private_net.push({ network: network.id, ip });
    return noted(core, balancer, "attach_to_network", [["networks", network.id]]);
  },
  detach_from_network(core, balancer, body) {
    const network = input.id(body, "network");
    if (!balancer.private_net.some((n) => n.network === network))
      throw notFound("network of the load balancer", network);
    balancer.private_net = [];
    balancer.targets = balancer.targets.filter((t) => !t.use_private_ip);
    return noted(core, balancer, "detach_from_network", [["networks", network]]);
  },
};

const settings: Record<string, Act> = {
  change_algorithm(core, balancer, body) {
    balancer.algorithm = input.oneOf(body, "type", ["round_robin", "least_connections"]);
    return noted(core, balancer, "change_algorithm");
  },
  change_type(core, balancer, body) {
    const type = choose(balancerTypes, input.idOrName(body, "load_balancer_type"), "load_balancer_type");
    if (balancer.services.length > type.max_services || balancer.targets.length > type.max_targets) {
      throw new CloudError("invalid_load_balancer_type", `${type.name} is too small for this load balancer`);
    }
    balancer.load_balancer_type = type.name;
    return noted(core, balancer, "change_load_balancer_type");
  },
  enable_public_interface(core, balancer) {
    balancer.public = true;
    return noted(core, balancer, "enable_public_interface");
  },
  disable_public_interface(core, balancer) {
    if (balancer.private_net.length === 0) {
      throw new CloudError("load_balancer_not_attached_to_network", "the load balancer is not attached to a network");
    }
    if (balancer.targets.some((t) => t.type !== "ip" && !t.use_private_ip)) {
      throw new CloudError("targets_without_use_private_ip", "there are targets that use the public address");
    }
    balancer.public = false;
    return noted(core, balancer, "disable_public_interface");
  },
  change_protection(core, balancer, body) {
    balancer.protection.delete = input.boolean(body, "delete", balancer.protection.delete);
    return noted(core, balancer, "change_protection");
  },
  change_dns_ptr(core, balancer, body) {
    const ip = input.text(body, "ip");
    if (ip !== balancer.ipv4 && ip !== balancer.ipv6) throw invalid("ip", "is not an address of the load balancer");
    const pointer = input.optionalText(body, "dns_ptr");
    if (pointer) balancer.dns_ptr[ip] = pointer;
    else delete balancer.dns_ptr[ip];
    return noted(core, balancer, "change_dns_ptr");
  },
};

export const loadBalancers: KindApi<"load_balancers"> = {
  kind: "load_balancers",
  view,
  create,
  async remove(core, balancer) {
    await core.converger.without(`balancer:${balancer.id}`, () => core.backend.deleteLoadBalancer(balancer.id));
    core.state.remove("load_balancers", balancer.id);
  },
  actions: { ...services, ...parts, ...settings },
};
