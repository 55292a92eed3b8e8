import { CloudError } from "../backend";
import { choose, locationOfDatacenter, locations } from "../catalogue";
import { formatIp, freeIpv6, parseCidr, size } from "../addresses";
import { type Core, job } from "../core";
import { invalid } from "../errors";
import * as input from "../input";
import type { Answer, KindApi } from "../kind";
import type { PrimaryIp, Server } from "../model";

/** Addresses for documentation: nobody has them, so nothing of ours is reached by mistake. */
const documentation = { ipv4: "203.0.113.0/24", ipv6: "2001:db8::/48" };

/** An address that nobody has yet. */
export function freePublic(core: Core, type: "ipv4" | "ipv6"): string {
  const { state } = core;
  const taken = new Set([
    ...[...state.all("primary_ips"), ...state.all("floating_ips")].map((ip) => ip.ip),
    ...state.all("load_balancers").flatMap((b) => [b.ipv4, b.ipv6.replace(/::1$/, "::/64")]),
  ]);
  const range = core.backend.publicRange ?? documentation;
  if (type === "ipv6") return freeIpv6(range.ipv6, taken);
  const net = parseCidr(range.ipv4)!;
  for (let n = net.base + 1; n < net.base + size(net) - 1; n++) if (!taken.has(formatIp(n))) return formatIp(n);
  throw new CloudError("resource_unavailable", "no public IPv4 address is left");
}

/** Makes an address for a server that asks for one of its own; it goes with the server. */
export function ownAddress(core: Core, type: "ipv4" | "ipv6", server: Pick<Server, "id" | "location">): number {
  const id = core.state.nextId();
  core.state.add("primary_ips", {
    id,
    name: `primary_ip-${id}`,
    created: new Date().toISOString(),
    labels: {},
    type,
    ip: freePublic(core, type),
    location: server.location,
    assignee_type: "server",
    assignee_id: server.id,
    auto_delete: true,
    protection: { delete: false },
    dns_ptr: [],
  });
  return id;
}

/** Tells the backend the addresses of a server that is off. */
const assign = job<{ id: number; server: number | null }>("assign-address", async (core, { id, server }) => {
  const ip = core.state.get("primary_ips", id);
  const affected = new Set([ip.assignee_id, server].filter((s): s is number => s !== null));
  const old = core.state.find("servers", ip.assignee_id);
  if (old) old[ip.type] = null;
  ip.assignee_id = server;
  if (server !== null) core.state.get("servers", server)[ip.type] = id;
  core.state.touch();
  for (const each of affected) {
    const s = core.state.find("servers", each);
    if (!s?.made) continue;
    await core.backend.setPublic?.(each, {
      ipv4: core.state.find("primary_ips", s.ipv4)?.ip,
      ipv6: core.state.find("primary_ips", s.ipv6)?.ip,
    });
  }
  await core.converger.converge();
});

const setProtection = job<{ id: number; value: boolean }>("address-protection", async (core, { id, value }) => {
  core.state.get("primary_ips", id).protection.delete = value;
});

function mustBeOff(core: Core, server: number): void {
  core.mustBeFree("servers", server);
  if (core.state.get("servers", server).status !== "off") {
    throw new CloudError("server_not_stopped", "the server is running and must be powered off");
  }
}

function checkAssign(core: Core, ip: Pick<PrimaryIp, "type" | "location">, body: input.Body): number {
  const id = input.id(body, "assignee_id");
  const server = core.state.find("servers", id);
  if (!server) throw invalid("assignee_id", `there is no server ${id}`);
  mustBeOff(core, id);
  if (server[ip.type] !== null) {
    throw new CloudError(`server_has_${ip.type}`, `the server already has an ${ip.type} address`);
  }
  if (server.location !== ip.location) {
    throw new CloudError("primary_ip_datacenter_mismatch", "the address is in another location");
  }
  return id;
}

export const primaryIps: KindApi<"primary_ips"> = {
  kind: "primary_ips",
  view: (_, ip) => ({
    ...ip,
    blocked: false,
    location: choose(locations, ip.location, "location"),
  }),
  create(core, body) {
    const type = input.oneOf(body, "type", ["ipv4", "ipv6"]);
    input.oneOf(body, "assignee_type", ["server"], "server");
    const assignee = input.optionalId(body, "assignee_id");
    const datacenter = input.idOrName(body, "datacenter");
    const wanted = input.idOrName(body, "location") ?? (datacenter && locationOfDatacenter(datacenter));
    const location = assignee
      ? core.state.get("servers", assignee).location
      : choose(locations, wanted, "location").name;
    if (assignee) checkAssign(core, { type, location }, body);
    const base = core.base("primary_ips", input.name(body), input.labels(body));
    core.state.add("primary_ips", {
      ...base,
      type,
      ip: freePublic(core, type),
      location,
      assignee_type: "server",
      assignee_id: null,
      auto_delete: input.boolean(body, "auto_delete", false),
      protection: { delete: false },
      dns_ptr: [],
    });
    const action = assignee ? startAssign(core, base.id, assignee, "assign_primary_ip") : undefined;
    return { status: 201, object: base.id, action };
  },
  update(_, ip, body) {
    ip.auto_delete = input.boolean(body, "auto_delete", ip.auto_delete);
  },
  remove(core, ip) {
    if (ip.assignee_id !== null) throw new CloudError("must_be_unassigned", "the address is still assigned");
    core.state.remove("primary_ips", ip.id);
    return {};
  },
  actions: {
    assign(core, ip, body) {
      if (ip.assignee_id !== null) throw new CloudError("primary_ip_already_assigned", "the address is assigned");
      return { status: 201, action: startAssign(core, ip.id, checkAssign(core, ip, body), "assign_primary_ip") };
    },
    unassign(core, ip) {
      if (ip.assignee_id === null) throw new CloudError("primary_ip_not_assigned", "the address is not assigned");
      mustBeOff(core, ip.assignee_id);
      return { status: 201, action: startAssign(core, ip.id, null, "unassign_primary_ip", ip.assignee_id) };
    },
    change_dns_ptr: (core, ip, body) => changePointer(core, ip, body),
    change_protection(core, ip, body) {
      const value = input.boolean(body, "delete", ip.protection.delete);
      if (value && ip.auto_delete)
        throw new CloudError("service_error", "an address with auto_delete can't be protected");
      const done = setProtection.with({ id: ip.id, value });
      return {
        status: 201,
        action: core.start({ command: "change_protection", on: [["primary_ips", ip.id]], job: done }),
      };
    },
  },
  filters: { ip: (ip, values) => values.includes(ip.ip) },
};

function startAssign(core: Core, id: number, server: number | null, command: string, from?: number) {
  const about = server ?? from!;
  return core.start({
    command,
    on: [
      ["primary_ips", id],
      ["servers", about],
    ],
    job: assign.with({ id, server }),
  });
}

const setPointers = job<{ id: number; pointers: PrimaryIp["dns_ptr"] }>(
  "address-pointers",
  async (core, { id, pointers }) => {
    core.state.get("primary_ips", id).dns_ptr = pointers;
  },
);

/** Sets or removes the name that an address resolves to. */
export function changePointer(core: Core, ip: PrimaryIp, body: input.Body): Answer {
  const address = input.text(body, "ip");
  const pointer = input.optionalText(body, "dns_ptr");
  const others = ip.dns_ptr.filter((p) => p.ip !== address);
  const pointers = pointer ? [...others, { ip: address, dns_ptr: pointer }] : others;
  const done = setPointers.with({ id: ip.id, pointers });
  return { status: 201, action: core.start({ command: "change_dns_ptr", on: [["primary_ips", ip.id]], job: done }) };
}
