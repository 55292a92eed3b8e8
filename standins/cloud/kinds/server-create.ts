import { randomBytes } from "node:crypto";
import { CloudError } from "../backend";
import { macOf } from "../addresses";
import { type SystemImage, choose, locationOfDatacenter, locations, serverTypes, systemImages } from "../catalogue";
import type { Core } from "../core";
import { invalid } from "../errors";
import * as input from "../input";
import type { Answer } from "../kind";
import type { Action, Server } from "../model";
import { locationsOf } from "../pricing";
import { chooseAddress } from "./networks";
import { ownAddress } from "./primary-ips";
import { changeServer, createServer, powerOn } from "./server-jobs";
import { attachVolume } from "./volumes";

/** A spread group has ten servers at most, and each stands on another computer. */
const groupLimit = 10;

/** Chooses the computer on which a server stands; throws where its group has no other one. */
export function placeServer(core: Core, group: number | null, location: string, server = 0): number {
  const others = core.state.all("servers").filter((s) => s.location === location && s.id !== server);
  const { hosts } = core.faults;
  const load = (host: number) => others.filter((s) => s.host === host).length;
  const free = Array.from({ length: hosts }, (_, i) => i + 1).filter(
    (host) => group === null || !others.some((s) => s.host === host && s.placement_group === group),
  );
  const members = core.state.all("servers").filter((s) => s.placement_group === group && s.id !== server).length;
  if (group !== null && members >= groupLimit) {
    throw new CloudError("placement_error", `a spread placement group has ${groupLimit} servers at most`);
  }
  const host = free.sort((a, b) => load(a) - load(b))[0];
  if (host === undefined) throw new CloudError("placement_error", "no other host is left for the placement group");
  return host;
}

/** The image by id or name, for an architecture; a snapshot by its id only. */
export function imageFor(core: Core, idOrName: string | number | undefined, architecture: "x86" | "arm"): number {
  if (idOrName === undefined) throw invalid("image", "is required");
  const snapshot = core.state.all("images").find((i) => String(i.id) === String(idOrName));
  const named = systemImages.filter((i: SystemImage) => i.name === idOrName || String(i.id) === String(idOrName));
  if (!snapshot && named.length === 0) throw invalid("image", `'${idOrName}' is unknown`);
  if (snapshot?.status === "creating") throw new CloudError("resource_unavailable", "the image is still being made");
  const found = snapshot ?? named.find((i) => i.architecture === architecture);
  if (!found || found.architecture !== architecture) {
    throw invalid("image", `is not for the architecture ${architecture} of the server type`);
  }
  return found.id;
}

export function publicKeys(core: Core, body: input.Body): string[] {
  return input.list(body, "ssh_keys").map((wanted) => {
    const key = core.state.all("ssh_keys").find((k) => k.id === wanted || k.name === wanted);
    if (!key) throw invalid("ssh_keys", `SSH key '${String(wanted)}' not found`);
    return key.public_key;
  });
}

/** A primary IP that the request names. */
function givenAddress(core: Core, net: input.Body, type: "ipv4" | "ipv6", location: string): number | undefined {
  const id = input.optionalId(net, type);
  if (id === undefined) return undefined;
  const ip = core.state.find("primary_ips", id);
  if (!ip) throw invalid(`public_net.${type}`, `primary IP ${id} not found`);
  if (ip.type !== type) throw new CloudError("primary_ip_version_mismatch", `primary IP ${id} is not of type ${type}`);
  if (ip.assignee_id !== null) throw new CloudError("primary_ip_assigned", `primary IP ${id} is already assigned`);
  if (ip.location !== location) throw new CloudError("primary_ip_datacenter_mismatch", `primary IP ${id} is elsewhere`);
  return id;
}

/** `POST /servers`: everything is checked before anything is made. */
export function create(core: Core, body: input.Body): Answer {
  const { state } = core;
  const type = choose(serverTypes, input.idOrName(body, "server_type"), "server_type");
  const datacenter = input.idOrName(body, "datacenter");
  const wanted = input.idOrName(body, "location") ?? (datacenter && locationOfDatacenter(datacenter));
  const location = choose(locations, wanted ?? locationsOf(type.name)[0]?.name, "location").name;
  if (!locationsOf(type.name).some((l) => l.name === location)) {
    throw invalid("server_type", `${type.name} is not offered in ${location}`);
  }
  const image = imageFor(core, input.idOrName(body, "image"), type.architecture);
  const keys = publicKeys(core, body);
  const userData = input.optionalText(body, "user_data") ?? "";
  if (Buffer.byteLength(userData) > 32_768) throw invalid("user_data", "is too long: 32 KiB at most");

  const net = body["public_net"] === undefined ? {} : input.asObject(body["public_net"] ?? {}, "public_net");
  const given = { ipv4: givenAddress(core, net, "ipv4", location), ipv6: givenAddress(core, net, "ipv6", location) };
  const wants = { ipv4: input.boolean(net, "enable_ipv4", true), ipv6: input.boolean(net, "enable_ipv6", true) };
  const start = input.boolean(body, "start_after_create", true);

  const networks = input.ids(body, "networks").map((id) => {
    const network = state.find("networks", id);
    if (!network) throw invalid("networks", `network ${id} not found`);
    return { network, ip: chooseAddress(core, network, location, {}) };
  });
  if (networks.length > 3) throw invalid("networks", "a server has 3 networks at most");
  if (start && !wants.ipv4 && !wants.ipv6 && networks.length === 0) {
    throw invalid("public_net", "a server needs a public or a private network to be started");
  }
  const firewalls = input.objects(body, "firewalls").map((f) => {
    const found = state.find("firewalls", input.id(f, "firewall"));
    if (!found) throw invalid("firewalls", `firewall ${String(f["firewall"])} not found`);
    return found;
  });
  const volumes = input.ids(body, "volumes").map((id) => {
    const volume = state.find("volumes", id);
    if (!volume || volume.location !== location) throw invalid("volumes", `volume ${id} not found in ${location}`);
    if (volume.server !== null) throw new CloudError("volume_already_attached", `volume ${id} is attached already`);
    return volume;
  });
  const group = input.optionalId(body, "placement_group") ?? null;
  if (group !== null && !state.find("placement_groups", group)) throw invalid("placement_group", "not found");
  if (core.faults.isSoldOut(type.name, location)) {
    throw new CloudError("resource_unavailable", `server type ${type.name} is not available in ${location} now`);
  }
  const host = placeServer(core, group, location);
  const base = core.base("servers", input.name(body, "host"), input.labels(body));

  const server = state.add("servers", {
    ...base,
    status: "initializing",
    server_type: type.name,
    location,
    image,
    user_data: userData,
    ssh_keys: keys,
    ipv4: null,
    ipv6: null,
    private_net: networks.map(({ network, ip }) => privateNet(base.id, network.id, ip, [])),
    placement_group: group,
    backup_window: null,
    rescue_enabled: false,
    protection: { delete: false, rebuild: false },
    primary_disk_size: type.disk,
    host,
    made: false,
  });
  for (const family of ["ipv4", "ipv6"] as const) {
    if (!wants[family]) continue;
    server[family] = given[family] ?? ownAddress(core, family, server);
    state.get("primary_ips", server[family]).assignee_id = server.id;
  }
  for (const firewall of firewalls) firewall.applied_to.push({ type: "server", server: { id: server.id } });

  const action = core.start({
    command: "create_server",
    on: [["servers", server.id]],
    job: createServer.with({ id: server.id }),
  });
  const next: Action[] = networks.map(({ network }) =>
    core.start({
      command: "attach_to_network",
      on: [
        ["servers", server.id],
        ["networks", network.id],
      ],
      // The machine was made with the interface; the action is there because the API has it.
      job: changeServer.with({ id: server.id, change: {} }),
      after: action,
    }),
  );
  for (const volume of volumes) {
    next.push(
      core.start({
        command: "attach_volume",
        on: [
          ["servers", server.id],
          ["volumes", volume.id],
        ],
        job: attachVolume.with({ id: volume.id, server: server.id }),
        after: action,
      }),
    );
  }
  if (start) {
    next.push(
      core.start({
        command: "start_server",
        on: [["servers", server.id]],
        job: powerOn.with({ id: server.id }),
        after: action,
      }),
    );
  }
  const password = keys.length > 0 ? null : randomBytes(12).toString("base64url");
  return { status: 201, object: server.id, action, nextActions: next, more: { root_password: password } };
}

/** An interface in a network. */
export const privateNet = (
  server: number,
  networkId: number,
  ip: string,
  aliasIps: string[],
): Server["private_net"][number] => ({
  networkId,
  ip,
  aliasIps,
  mac: macOf(server, networkId),
});
