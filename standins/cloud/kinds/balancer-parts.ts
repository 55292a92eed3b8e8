/** Services and targets of load balancers: read from requests and checked. */
import { CloudError } from "../backend";
import { isPrivate, parseCidr, parseIp } from "../addresses";
import { balancerTypes, choose } from "../catalogue";
import { addressFor, checkSelector, targetServers } from "../converge";
import type { Core } from "../core";
import { invalid } from "../errors";
import * as input from "../input";
import type { BalancerService, BalancerTarget, LoadBalancer } from "../model";

type Check = BalancerService["health_check"];

const port = (body: input.Body, field: string): number | undefined => input.optionalInteger(body, field, 1, 65_535);

/** Reads a service; `now` is the one that is changed. */
export function serviceOf(body: input.Body, now?: BalancerService): BalancerService {
  const protocol = input.oneOf(body, "protocol", ["tcp", "http", "https"], now?.protocol);
  const usual = { tcp: undefined, http: 80, https: 443 }[protocol];
  const listen = port(body, "listen_port") ?? now?.listen_port ?? usual;
  if (listen === undefined) throw invalid("listen_port", "is required");
  const destination = port(body, "destination_port") ?? now?.destination_port ?? (protocol === "tcp" ? undefined : 80);
  if (destination === undefined) throw invalid("destination_port", "is required");
  const given = body["health_check"];
  const check =
    given === undefined || given === null
      ? now?.health_check
      : checkOf(input.asObject(given, "health_check"), protocol, destination, now);
  return {
    protocol,
    listen_port: listen,
    destination_port: destination,
    proxyprotocol: input.boolean(body, "proxyprotocol", now?.proxyprotocol ?? false),
    ...(protocol === "tcp" ? {} : { http: httpOf(body, protocol, now) }),
    health_check: check ?? {
      protocol: protocol === "tcp" ? "tcp" : "http",
      port: destination,
      interval: 15,
      timeout: 10,
      retries: 3,
      ...(protocol === "tcp" ? {} : { http: webCheck({}) }),
    },
  };
}

function httpOf(body: input.Body, protocol: string, now?: BalancerService): NonNullable<BalancerService["http"]> {
  const http = body["http"] === undefined || body["http"] === null ? {} : input.asObject(body["http"], "http");
  const certificates = "certificates" in http ? input.ids(http, "certificates") : (now?.http?.certificates ?? []);
  if (protocol === "https" && certificates.length === 0) throw invalid("http.certificates", "is required for https");
  return {
    cookie_name: input.optionalText(http, "cookie_name") ?? now?.http?.cookie_name ?? "HCLBSTICKY",
    cookie_lifetime: input.optionalInteger(http, "cookie_lifetime", 30, 86_400) ?? now?.http?.cookie_lifetime ?? 300,
    certificates,
    redirect_http: input.boolean(http, "redirect_http", now?.http?.redirect_http ?? false),
    sticky_sessions: input.boolean(http, "sticky_sessions", now?.http?.sticky_sessions ?? false),
    timeout_idle: input.optionalInteger(http, "timeout_idle", 30, 300) ?? now?.http?.timeout_idle ?? 60,
  };
}

function checkOf(body: input.Body, protocol: string, destination: number, now?: BalancerService): Check {
  const old = now?.health_check;
  const kind = input.oneOf(body, "protocol", ["tcp", "http"], old?.protocol ?? (protocol === "tcp" ? "tcp" : "http"));
  const interval = input.optionalInteger(body, "interval", 3, 60) ?? old?.interval ?? 15;
  const timeout = input.optionalInteger(body, "timeout", 1, 60) ?? old?.timeout ?? 10;
  if (timeout > interval) throw invalid("health_check.timeout", "must not be longer than the interval");
  const web =
    body["http"] === undefined || body["http"] === null ? {} : input.asObject(body["http"], "health_check.http");
  return {
    protocol: kind,
    port: port(body, "port") ?? old?.port ?? destination,
    interval,
    timeout,
    retries: input.optionalInteger(body, "retries", 0, 5) ?? old?.retries ?? 3,
    ...(kind === "http" ? { http: webCheck(web, old?.http) } : {}),
  };
}

function webCheck(body: input.Body, old?: Check["http"]): NonNullable<Check["http"]> {
  const codes = body["status_codes"] === undefined ? undefined : input.list(body, "status_codes").map(String);
  if (codes?.some((c) => !/^[1-5?*][0-9?*]{0,2}$/.test(c)))
    throw invalid("health_check.http.status_codes", "is not valid");
  return {
    domain: input.optionalText(body, "domain") ?? old?.domain ?? "",
    path: input.optionalText(body, "path") ?? old?.path ?? "/",
    response: input.optionalText(body, "response") ?? old?.response ?? "",
    status_codes: codes ?? old?.status_codes ?? ["2??", "3??"],
    tls: input.boolean(body, "tls", old?.tls ?? false),
  };
}

/** Throws where a balancer can't have one more service. */
export function checkService(balancer: LoadBalancer, service: BalancerService): void {
  if (balancer.services.some((s) => s.listen_port === service.listen_port)) {
    throw new CloudError("source_port_already_used", `port ${service.listen_port} is already in use`);
  }
  const { max_services } = choose(balancerTypes, balancer.load_balancer_type, "load_balancer_type");
  if (balancer.services.length >= max_services) {
    throw new CloudError("resource_limit_exceeded", `this type has ${max_services} services at most`);
  }
}

/** What names a target. */
export function targetNamed(body: input.Body): Omit<BalancerTarget, "use_private_ip"> {
  const type = input.oneOf(body, "type", ["server", "label_selector", "ip"]);
  const part = input.asObject(body[type], type);
  if (type === "server") return { type, server: { id: input.id(part, "id") } };
  if (type === "label_selector") {
    return {
      type,
      label_selector: { selector: checkSelector(input.text(part, "selector"), "label_selector.selector") },
    };
  }
  const ip = input.text(part, "ip");
  if (parseIp(ip) === undefined && !ip.includes(":")) throw invalid("ip", "must be an address");
  return { type, ip: { ip } };
}

export const sameTarget = (
  a: Omit<BalancerTarget, "use_private_ip">,
  b: Omit<BalancerTarget, "use_private_ip">,
): boolean =>
  a.type === b.type &&
  a.server?.id === b.server?.id &&
  a.label_selector?.selector === b.label_selector?.selector &&
  a.ip?.ip === b.ip?.ip;

/** Reads a target that a balancer shall get; throws what the API says of those that it can't have. */
export function targetOf(core: Core, balancer: LoadBalancer, body: input.Body): BalancerTarget {
  const named = targetNamed(body);
  const target = { ...named, use_private_ip: named.type !== "ip" && input.boolean(body, "use_private_ip", false) };
  if (balancer.targets.some((t) => sameTarget(t, target))) {
    throw new CloudError("target_already_defined", "the target is already defined");
  }
  if (target.use_private_ip && balancer.private_net.length === 0) {
    throw new CloudError("load_balancer_not_attached_to_network", "the load balancer is not attached to a network");
  }
  if (!target.use_private_ip && target.type !== "ip" && !balancer.public) {
    throw new CloudError("load_balancer_public_interface_disabled", "the public interface is disabled");
  }
  if (target.server && !core.state.find("servers", target.server.id)) {
    throw invalid("server", `there is no server ${target.server.id}`);
  }
  if (target.type === "server") {
    const [server] = targetServers(core, target);
    if (server && addressFor(core, balancer, target, server) === undefined) {
      throw target.use_private_ip
        ? new CloudError("server_not_attached_to_network", "the server is not attached to the load balancer's network")
        : new CloudError("missing_ipv4", "the server has no public IPv4 address");
    }
  }
  if (target.ip) checkAddress(core, target.ip.ip);
  const { max_targets } = choose(balancerTypes, balancer.load_balancer_type, "load_balancer_type");
  const count = balancer.targets.reduce((n, t) => n + Math.max(1, targetServers(core, t).length), 0);
  if (count >= max_targets)
    throw new CloudError("resource_limit_exceeded", `this type has ${max_targets} targets at most`);
  return target;
}

/** Addresses as targets are for machines of Hetzner's outside the cloud. */
function checkAddress(core: Core, ip: string): void {
  if ([...core.state.all("primary_ips"), ...core.state.all("floating_ips")].some((p) => p.ip === ip)) {
    throw new CloudError("cloud_resource_ip_not_allowed", "the address belongs to a resource of the cloud");
  }
  const net = parseCidr(`${ip}/32`);
  if (net && isPrivate(net))
    throw new CloudError("network_has_no_vswitch_subnet", "private addresses need a vSwitch subnet");
}
