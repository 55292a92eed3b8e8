import { CloudError } from "../backend";
import { isAnyCidr } from "../addresses";
import { checkSelector, firewallsOf, selected } from "../converge";
import { type Core, job } from "../core";
import { invalid } from "../errors";
import * as input from "../input";
import type { Answer, KindApi } from "../kind";
import type { Action, Firewall, FirewallTarget } from "../model";

type Rule = Firewall["rules"][number];
const protocols = ["tcp", "udp", "icmp", "esp", "gre"] as const;

function networksOf(body: input.Body, field: string): string[] {
  const given = input.list(body, field);
  if (given.length > 100) throw invalid(field, "there may be 100 at most");
  return given.map((net) => {
    if (!isAnyCidr(net)) throw invalid(field, `'${String(net)}' is not a network in CIDR notation`);
    return String(net);
  });
}

function ruleOf(body: input.Body): Rule {
  const direction = input.oneOf(body, "direction", ["in", "out"]);
  const protocol = input.oneOf(body, "protocol", protocols);
  const port = input.optionalText(body, "port");
  const ported = protocol === "tcp" || protocol === "udp";
  if (ported !== (port !== undefined))
    throw invalid("rules.port", ported ? "is required" : "belongs to tcp and udp only");
  const ports = port === "any" ? ["1", "65535"] : (port ?? "").split("-");
  const valid = ports.length <= 2 && ports.every((p) => /^\d{1,5}$/.test(p) && Number(p) >= 1 && Number(p) <= 65_535);
  if (ported && (!valid || Number(ports[0]) > Number(ports[1] ?? ports[0])))
    throw invalid("rules.port", "is not valid");
  const [sourceIps, destinationIps] = [networksOf(body, "source_ips"), networksOf(body, "destination_ips")];
  if (direction === "in" && sourceIps.length === 0) throw invalid("rules.source_ips", "is required for direction in");
  if (direction === "out" && destinationIps.length === 0) {
    throw invalid("rules.destination_ips", "is required for direction out");
  }
  const description = input.optionalText(body, "description") ?? null;
  if ((description ?? "").length > 255) throw invalid("rules.description", "is too long");
  return {
    direction,
    protocol,
    ...(port === undefined ? {} : { port: port === "any" ? "1-65535" : port }),
    sourceIps: direction === "in" ? sourceIps : [],
    destinationIps: direction === "out" ? destinationIps : [],
    description,
  };
}

function rulesOf(body: input.Body): Rule[] {
  const rules = input.objects(body, "rules").map(ruleOf);
  if (rules.length > 50) throw invalid("rules", "there may be 50 at most");
  return rules;
}

function targetsOf(core: Core, body: input.Body, field: string): FirewallTarget[] {
  return input.objects(body, field).map((target): FirewallTarget => {
    const type = input.oneOf(target, "type", ["server", "label_selector"]);
    if (type === "label_selector") {
      const wanted = input.asObject(target["label_selector"], `${field}.label_selector`);
      const selector = checkSelector(input.text(wanted, "selector"), `${field}.label_selector`);
      return { type, label_selector: { selector } };
    }
    const id = input.id(input.asObject(target["server"], `${field}.server`), "id");
    const server = core.state.find("servers", id);
    if (!server) throw new CloudError("firewall_resource_not_found", `server ${id} not found`);
    return { type, server: { id } };
  });
}

const same = (a: FirewallTarget, b: FirewallTarget): boolean =>
  a.server?.id === b.server?.id && a.label_selector?.selector === b.label_selector?.selector;

/** Tells the backend what follows from rules and targets that were noted already. */
const convergeFirewall = job<{ id: number }>("converge-firewall", (core) => core.converger.converge());

/** One action a target, as the API has it; with none, one for the firewall. */
function started(core: Core, firewall: number, command: string, targets: FirewallTarget[]): Action[] {
  const servers = targets.flatMap((t) =>
    t.server ? [t.server.id] : selected(core, t.label_selector!.selector).map((s) => s.id),
  );
  const done = convergeFirewall.with({ id: firewall });
  return [...new Set(servers)].map((server) =>
    core.start({
      command,
      on: [
        ["firewalls", firewall],
        ["servers", server],
      ],
      job: done,
    }),
  );
}

function apply(core: Core, firewall: Firewall, targets: FirewallTarget[]): Action[] {
  for (const [at, target] of targets.entries()) {
    if (targets.slice(0, at).some((t) => same(t, target))) {
      throw new CloudError("server_already_added", "a resource is named more than once");
    }
    if (firewall.applied_to.some((t) => same(t, target))) {
      throw new CloudError("firewall_already_applied", "the firewall is already applied to the resource");
    }
    const server = core.state.find("servers", target.server?.id);
    if (server && server.ipv4 === null && server.ipv6 === null) {
      throw new CloudError("private_net_only_server", "the server has no public interface");
    }
    if (server && firewallsOf(core, server.id).length >= 5) {
      throw new CloudError("resource_limit_exceeded", "a server has 5 firewalls at most");
    }
  }
  firewall.applied_to.push(...targets);
  return started(core, firewall.id, "apply_firewall", targets);
}

function remove(core: Core, firewall: Firewall, body: input.Body): Answer {
  const targets = targetsOf(core, body, "remove_from");
  for (const target of targets) {
    if (firewall.applied_to.some((t) => same(t, target))) continue;
    const bySelector = target.server && firewallsOf(core, target.server.id).some((f) => f.id === firewall.id);
    if (bySelector) {
      throw new CloudError("firewall_managed_by_label_selector", "the firewall is applied by a label selector");
    }
    throw new CloudError("firewall_resource_not_found", "the firewall is not applied to the resource");
  }
  const actions = started(core, firewall.id, "remove_firewall", targets);
  firewall.applied_to = firewall.applied_to.filter((t) => !targets.some((other) => same(t, other)));
  return { status: 201, actions };
}

export const firewalls: KindApi<"firewalls"> = {
  kind: "firewalls",
  view: (core, { id, name, labels, created, rules, applied_to }) => ({
    id,
    name,
    labels,
    created,
    rules: rules.map((r) => ({
      direction: r.direction,
      protocol: r.protocol,
      port: r.port ?? null,
      source_ips: r.sourceIps,
      destination_ips: r.destinationIps,
      description: r.description,
    })),
    applied_to: applied_to.map((t) =>
      t.label_selector
        ? {
            ...t,
            applied_to_resources: selected(core, t.label_selector.selector).map((s) => ({
              type: "server",
              server: { id: s.id },
            })),
          }
        : t,
    ),
  }),
  create(core, body) {
    const rules = rulesOf(body);
    const targets = targetsOf(core, body, "apply_to");
    const base = core.base("firewalls", input.name(body), input.labels(body));
    const firewall = core.state.add("firewalls", { ...base, rules, applied_to: [] });
    try {
      return { status: 201, object: base.id, actions: apply(core, firewall, targets) };
    } catch (e) {
      core.state.remove("firewalls", base.id);
      throw e;
    }
  },
  remove(core, firewall) {
    if (firewall.applied_to.length > 0) throw new CloudError("resource_in_use", "the firewall is still applied");
    core.state.remove("firewalls", firewall.id);
    return {};
  },
  actions: {
    set_rules(core, firewall, body) {
      if (!("rules" in body)) throw invalid("rules", "is required");
      firewall.rules = rulesOf(body);
      const done = convergeFirewall.with({ id: firewall.id });
      const action = core.start({ command: "set_firewall_rules", on: [["firewalls", firewall.id]], job: done });
      return { status: 201, actions: [action, ...started(core, firewall.id, "apply_firewall", firewall.applied_to)] };
    },
    apply_to_resources(core, firewall, body) {
      const targets = targetsOf(core, body, "apply_to");
      if (targets.length === 0) throw invalid("apply_to", "is required");
      return { status: 201, actions: apply(core, firewall, targets) };
    },
    remove_from_resources: remove,
  },
};
