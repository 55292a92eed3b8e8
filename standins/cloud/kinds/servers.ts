import { randomBytes } from "node:crypto";
import { CloudError } from "../backend";
import { choose, serverTypes } from "../catalogue";
import { type Core } from "../core";
import { invalid, notFound, protectedError } from "../errors";
import * as input from "../input";
import type { Answer, KindApi } from "../kind";
import type { Action, Kind, Server } from "../model";
import { snapshot } from "./images";
import { usedAddresses, chooseAddress } from "./networks";
import { changePointer } from "./primary-ips";
import { create, imageFor, placeServer, privateNet } from "./server-create";
import * as jobs from "./server-jobs";
import { viewServer } from "./server-view";

type Act = KindApi<"servers">["actions"][string];

/** Starts an action on a server that nothing else runs on. */
function start(core: Core, server: Server, command: string, job: Action["job"], also: [Kind, number][] = []): Answer {
  core.mustBeFree("servers", server.id);
  return { status: 201, action: core.start({ command, on: [["servers", server.id], ...also], job }) };
}

const change = (
  core: Core,
  server: Server,
  command: string,
  wanted: Partial<Server>,
  also?: [Kind, number][],
): Answer => start(core, server, command, jobs.changeServer.with({ id: server.id, change: wanted }), also);

/** An action that has nothing to choose. */
const simple =
  (command: string, job: { with: (args: { id: number }) => Action["job"] }): Act =>
  (core, server) =>
    start(core, server, command, job.with({ id: server.id }));

function mustBeOff(server: Server): void {
  if (server.status !== "off") throw new CloudError("server_not_stopped", "the server must be powered off");
}

function changeType(core: Core, server: Server, body: input.Body): Answer {
  const [old, next] = [server.server_type, input.idOrName(body, "server_type")].map((t) =>
    choose(serverTypes, t, "server_type"),
  );
  core.mustBeFree("servers", server.id);
  mustBeOff(server);
  if (old!.architecture !== next!.architecture || old!.name === next!.name || next!.disk < server.primary_disk_size) {
    throw new CloudError("invalid_server_type", `a server of type ${old!.name} can't become ${next!.name}`);
  }
  if (core.faults.isSoldOut(next!.name, server.location)) {
    throw new CloudError(
      "resource_unavailable",
      `server type ${next!.name} is not available in ${server.location} now`,
    );
  }
  const disk = input.boolean(body, "upgrade_disk", true) ? next!.disk : server.primary_disk_size;
  return start(core, server, "change_server_type", jobs.changeType.with({ id: server.id, type: next!.name, disk }));
}

/** Addresses that a server wants besides its own. */
function aliases(core: Core, server: Server, network: number, body: input.Body, own: string[]): string[] {
  const wanted = input.list(body, "alias_ips").map((ip) => String(ip));
  const object = core.state.get("networks", network);
  const used = usedAddresses(core, network);
  for (const ip of wanted.filter((w) => !own.includes(w))) {
    if (used.has(ip)) throw new CloudError("ip_not_available", `the address ${ip} is not available`);
    chooseAddress(core, object, server.location, { ip });
  }
  if (wanted.length > 5) throw invalid("alias_ips", "a server has 5 in a network at most");
  return wanted;
}

function attach(core: Core, server: Server, body: input.Body): Answer {
  const network = core.state.find("networks", input.id(body, "network"));
  if (!network) throw notFound("network", String(body["network"]));
  if (server.private_net.some((n) => n.networkId === network.id)) {
    throw new CloudError("server_already_attached", "the server is already attached to the network");
  }
  core.mustBeFree("servers", server.id);
  core.mustBeFree("networks", network.id);
  if (server.private_net.length >= 3)
    throw new CloudError("resource_limit_exceeded", "a server has 3 networks at most");
  const ip = chooseAddress(core, network, server.location, body);
  const net = privateNet(server.id, network.id, ip, aliases(core, server, network.id, body, []));
  return change(core, server, "attach_to_network", { private_net: [...server.private_net, net] }, [
    ["networks", network.id],
  ]);
}

/** The server's interface in the network that a request names. */
function interfaceOf(server: Server, body: input.Body): Server["private_net"][number] {
  const network = input.id(body, "network");
  const found = server.private_net.find((n) => n.networkId === network);
  if (!found) throw notFound("network of the server", network);
  return found;
}

function detach(core: Core, server: Server, body: input.Body): Answer {
  const { networkId } = interfaceOf(server, body);
  const rest = server.private_net.filter((n) => n.networkId !== networkId);
  return change(core, server, "detach_from_network", { private_net: rest }, [["networks", networkId]]);
}

function changeAliases(core: Core, server: Server, body: input.Body): Answer {
  const net = interfaceOf(server, body);
  const aliasIps = aliases(core, server, net.networkId, body, net.aliasIps);
  const nets = server.private_net.map((n) => (n === net ? { ...n, aliasIps } : n));
  return change(core, server, "change_alias_ips", { private_net: nets }, [["networks", net.networkId]]);
}

function joinGroup(core: Core, server: Server, body: input.Body): Answer {
  const id = input.id(body, "placement_group");
  if (!core.state.find("placement_groups", id)) throw notFound("placement_group", id);
  if (server.placement_group !== null)
    throw new CloudError("already_in_placement_group", "the server is in a placement group");
  core.mustBeFree("servers", server.id);
  mustBeOff(server);
  const host = placeServer(core, id, server.location, server.id);
  return change(core, server, "add_to_placement_group", { placement_group: id, host }, [["placement_groups", id]]);
}

const withPassword = (answer: Answer): Answer => ({
  ...answer,
  more: { root_password: randomBytes(12).toString("base64url") },
});

const actions: Record<string, Act> = {
  poweron: simple("start_server", jobs.powerOn),
  poweroff: simple("stop_server", jobs.powerOff),
  shutdown: simple("shutdown_server", jobs.shutDown),
  reboot: simple("reboot_server", jobs.reboot),
  reset: simple("reset_server", jobs.reset),
  rebuild(core, server, body) {
    if (server.protection.rebuild) throw protectedError("the server");
    const image = imageFor(
      core,
      input.idOrName(body, "image"),
      choose(serverTypes, server.server_type, "server_type").architecture,
    );
    const userData = input.optionalText(body, "user_data");
    const job = jobs.rebuild.with({ id: server.id, image, ...(userData === undefined ? {} : { userData }) });
    return { ...start(core, server, "rebuild_server", job), more: { root_password: null } };
  },
  change_type: changeType,
  attach_to_network: attach,
  detach_from_network: detach,
  change_alias_ips: changeAliases,
  enable_rescue: (core, server) => withPassword(change(core, server, "enable_rescue", { rescue_enabled: true })),
  disable_rescue: (core, server) => change(core, server, "disable_rescue", { rescue_enabled: false }),
  enable_backup: (core, server) => change(core, server, "enable_backup", { backup_window: "22-02" }),
  disable_backup: (core, server) => change(core, server, "disable_backup", { backup_window: null }),
  reset_password: (core, server) => withPassword(change(core, server, "reset_password", {})),
  change_protection(core, server, body) {
    const now = server.protection;
    const next = {
      delete: input.boolean(body, "delete", now.delete),
      rebuild: input.boolean(body, "rebuild", now.rebuild),
    };
    if (next.delete !== next.rebuild) throw invalid("rebuild", "must be the same as delete");
    return change(core, server, "change_protection", { protection: next });
  },
  add_to_placement_group: joinGroup,
  remove_from_placement_group(core, server) {
    if (server.placement_group === null) throw new CloudError("not_in_placement_group", "the server is in none");
    return change(core, server, "remove_from_placement_group", { placement_group: null });
  },
  create_image: snapshot,
  change_dns_ptr(core, server, body) {
    const address = input.text(body, "ip");
    const family = address.includes(":") ? "ipv6" : "ipv4";
    const ip = core.state.find("primary_ips", server[family]);
    if (!ip) throw invalid("ip", "is not an address of the server");
    return changePointer(core, ip, body);
  },
  attach_iso: () => {
    throw new CloudError("not_found", "there are no ISO images");
  },
  detach_iso: (core, server) => change(core, server, "detach_iso", {}),
};

export const servers: KindApi<"servers"> = {
  kind: "servers",
  view: async (core, server) => {
    if (server.status === "running" && (await core.backend.isRunning?.(server.id)) === false) {
      if (!core.isLocked("servers", server.id)) server.status = "off";
    }
    return viewServer(core, server);
  },
  create,
  relabelled: (core) => core.converger.converge(),
  remove: (core, server) => {
    core.mustBeFree("servers", server.id);
    server.status = "deleting";
    const job = jobs.deleteServer.with({ id: server.id });
    return { status: 200, action: core.start({ command: "delete_server", on: [["servers", server.id]], job }) };
  },
  actions,
  filters: { status: (server, values) => values.includes(server.status) },
};
