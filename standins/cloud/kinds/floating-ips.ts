import { choose, locations } from "../catalogue";
import { type Core, job } from "../core";
import { invalid } from "../errors";
import * as input from "../input";
import type { Answer, KindApi } from "../kind";
import type { Action, FloatingIp } from "../model";
import { freePublic } from "./primary-ips";

/** Floating addresses are kept and shown, and no backend routes them. */
const changeFloating = job<{ id: number; change: Partial<FloatingIp> }>(
  "change-floating",
  async (core, { id, change }) => {
    Object.assign(core.state.get("floating_ips", id), change);
  },
);

function change(core: Core, id: number, command: string, wanted: Partial<FloatingIp>): Action {
  return core.start({ command, on: [["floating_ips", id]], job: changeFloating.with({ id, change: wanted }) });
}

function serverOf(core: Core, body: input.Body): number {
  const id = input.id(body, "server");
  if (!core.state.find("servers", id)) throw invalid("server", `there is no server ${id}`);
  return id;
}

function create(core: Core, body: input.Body): Answer {
  const type = input.oneOf(body, "type", ["ipv4", "ipv6"]);
  const server = body["server"] === undefined || body["server"] === null ? undefined : serverOf(core, body);
  const home =
    server === undefined ? input.idOrName(body, "home_location") : core.state.get("servers", server).location;
  const home_location = choose(locations, home, "home_location").name;
  const name = body["name"] === undefined ? `floating-ip-${core.state.nextId()}` : input.name(body);
  const base = core.base("floating_ips", name, input.labels(body));
  core.state.add("floating_ips", {
    ...base,
    type,
    ip: freePublic(core, type),
    description: input.optionalText(body, "description") ?? null,
    server: null,
    home_location,
    protection: { delete: false },
    dns_ptr: [],
  });
  const action = server === undefined ? undefined : change(core, base.id, "assign_floating_ip", { server });
  return { status: 201, object: base.id, action };
}

export const floatingIps: KindApi<"floating_ips"> = {
  kind: "floating_ips",
  view: (_, ip) => ({ ...ip, blocked: false, home_location: choose(locations, ip.home_location, "home_location") }),
  create,
  update(_, ip, body) {
    ip.description = input.optionalText(body, "description") ?? ip.description;
  },
  remove(core, ip) {
    core.state.remove("floating_ips", ip.id);
    return {};
  },
  actions: {
    assign: (core, ip, body) => ({
      status: 201,
      action: change(core, ip.id, "assign_floating_ip", { server: serverOf(core, body) }),
    }),
    unassign: (core, ip) => ({ status: 201, action: change(core, ip.id, "unassign_floating_ip", { server: null }) }),
    change_dns_ptr(core, ip, body) {
      const [address, pointer] = [input.text(body, "ip"), input.optionalText(body, "dns_ptr")];
      const others = ip.dns_ptr.filter((p) => p.ip !== address);
      const dns_ptr = pointer ? [...others, { ip: address, dns_ptr: pointer }] : others;
      return { status: 201, action: change(core, ip.id, "change_dns_ptr", { dns_ptr }) };
    },
    change_protection: (core, ip, body) => ({
      status: 201,
      action: change(core, ip.id, "change_protection", {
        protection: { delete: input.boolean(body, "delete", ip.protection.delete) },
      }),
    }),
  },
};
