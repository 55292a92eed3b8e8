import type { FirewallRule, LoadBalancerHealthCheck, LoadBalancerSpec, NetworkSpec, PrivateNet } from "./backend";
import { formatIp, parseCidr } from "./addresses";
import { invalid } from "./errors";
import type { Core } from "./core";
import type { BalancerService, BalancerTarget, Firewall, LoadBalancer, Network, Server } from "./model";
import { compileSelector } from "./selector";

/**
 * Tells the backend what networks, firewalls and balancers shall be, whenever that differs from what it was last told. Much of it
 * follows from elsewhere (a label of a server can put it behind a firewall and a balancer), so it is worked out from all objects
 * rather than from each request.
 */
export class Converger {
  private running: Promise<void> = Promise.resolve();
  private readonly removing = new Set<string>();

  constructor(private readonly core: Core) {}

  /** Resolves once the backend has what follows from the objects as they are now. */
  async converge(): Promise<void> {
    const done = this.running.catch(() => undefined).then(() => this.pass());
    this.running = done;
    return done;
  }

  private async pass(): Promise<void> {
    const { state, backend } = this.core;
    for (const network of state.all("networks")) {
      await this.told(`network:${network.id}`, networkSpec(network), (spec) => backend.createNetwork(spec));
      await this.told(`routes:${network.id}`, network.routes, (routes) => backend.setRoutes(network.id, [...routes]));
    }
    for (const server of state.all("servers").filter((s) => s.made && s.status !== "deleting")) {
      await this.told(`private:${server.id}`, server.private_net, (nets: PrivateNet[]) =>
        backend.setPrivate(server.id, nets),
      );
      await this.told(`firewall:${server.id}`, rulesFor(this.core, server), (rules) =>
        backend.setFirewall(server.id, rules),
      );
    }
    for (const balancer of state.all("load_balancers")) {
      await this.told(`balancer:${balancer.id}`, balancerSpec(this.core, balancer), (spec) =>
        backend.setLoadBalancer(spec),
      );
    }
  }

  private async told<T>(subject: string, wanted: T, tell: (wanted: T) => Promise<void>): Promise<void> {
    const { state } = this.core;
    const text = JSON.stringify(wanted);
    if (state.applied[subject] === text || this.removing.has(subject)) return;
    await tell(JSON.parse(text) as T);
    state.applied[subject] = text;
    state.touch();
    state.save();
  }

  /** Removes something from the backend, which is told nothing more about it from then on. */
  async without(subject: string, remove: () => Promise<void>): Promise<void> {
    this.removing.add(subject);
    try {
      await this.running.catch(() => undefined);
      await remove();
      this.forget(subject);
    } catch (e) {
      this.removing.delete(subject);
      throw e;
    }
  }

  /** Forgets what the backend was told of something that is gone, or that it made with the object itself. */
  forget(...subjects: string[]): void {
    for (const subject of subjects) delete this.core.state.applied[subject];
  }

  /** Notes that the backend knows something already. */
  note(subject: string, value: unknown): void {
    this.core.state.applied[subject] = JSON.stringify(value);
  }
}

/** The gateway of a network and of all its subnets is its first address. */
export const gatewayOf = (network: Network): string => formatIp(parseCidr(network.ip_range)!.base + 1);

function networkSpec(network: Network): NetworkSpec {
  const gateway = gatewayOf(network);
  return {
    id: network.id,
    name: network.name,
    ipRange: network.ip_range,
    subnets: network.subnets.map((s) => ({ ipRange: s.ip_range, gateway, type: s.type, networkZone: s.network_zone })),
  };
}

/** The servers that a selector means. */
export function selected(core: Core, selector: string): Server[] {
  const matches = compileSelector(selector, "selector");
  return core.state.all("servers").filter((s) => s.status !== "deleting" && matches(s.labels));
}

/** The servers behind a firewall, whether named or selected. */
export function serversOf(core: Core, firewall: Firewall): number[] {
  return firewall.applied_to.flatMap((t) =>
    t.type === "server" ? [t.server!.id] : selected(core, t.label_selector!.selector).map((s) => s.id),
  );
}

export const firewallsOf = (core: Core, server: number): Firewall[] =>
  core.state.all("firewalls").filter((f) => serversOf(core, f).includes(server));

/** Rules of all firewalls of a server together; null without a firewall. */
export function rulesFor(core: Core, server: Server): FirewallRule[] | null {
  const firewalls = firewallsOf(core, server.id);
  if (firewalls.length === 0) return null;
  return firewalls.flatMap((f) => f.rules.map(({ description: _, ...rule }) => rule));
}

/** The address at which a balancer reaches a server; undefined while it has none. */
export function addressFor(
  core: Core,
  balancer: LoadBalancer,
  target: BalancerTarget,
  server: Server,
): string | undefined {
  if (!target.use_private_ip) return core.state.find("primary_ips", server.ipv4)?.ip;
  return server.private_net.find((n) => balancer.private_net.some((b) => b.network === n.networkId))?.ip;
}

/** The servers of a target. */
export function targetServers(core: Core, target: BalancerTarget): Server[] {
  if (target.type === "label_selector") return selected(core, target.label_selector!.selector);
  if (target.type !== "server") return [];
  const server = core.state.find("servers", target.server!.id);
  return server ? [server] : [];
}

export function balancerSpec(core: Core, balancer: LoadBalancer): LoadBalancerSpec {
  const targets = balancer.targets.flatMap((target) => {
    if (target.type === "ip") return [{ address: target.ip!.ip }];
    return targetServers(core, target).flatMap((server) => {
      const address = addressFor(core, balancer, target, server);
      return address === undefined ? [] : [{ address, serverId: server.id }];
    });
  });
  return {
    id: balancer.id,
    name: balancer.name,
    ...(balancer.public ? { publicIpv4: balancer.ipv4, publicIpv6: balancer.ipv6 } : {}),
    privateIps: balancer.private_net.map((n) => ({ networkId: n.network, ip: n.ip })),
    algorithm: balancer.algorithm,
    services: balancer.services.map((s) => ({
      protocol: s.protocol,
      listenPort: s.listen_port,
      destinationPort: s.destination_port,
      proxyprotocol: s.proxyprotocol,
      healthCheck: checkSpec(s.health_check),
    })),
    targets: targets.filter((t, at) => targets.findIndex((o) => o.address === t.address) === at),
  };
}

function checkSpec({ http, ...check }: BalancerService["health_check"]): LoadBalancerHealthCheck {
  if (!http) return check;
  const { status_codes: statusCodes, ...rest } = http;
  return { ...check, http: { ...rest, statusCodes } };
}

/** Throws unless a text is a label selector. */
export function checkSelector(text: string, field: string): string {
  if (text.trim() === "") throw invalid(field, "must not be empty");
  compileSelector(text, field);
  return text;
}
