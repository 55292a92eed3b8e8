/** What the actions of servers do. Each may be run again after the emulator was killed in the middle of it. */
import { CloudError, type ServerSpec } from "../backend";
import { choose, serverTypes, systemImages } from "../catalogue";
import { type Core, job } from "../core";
import type { Server } from "../model";

export type Id = { id: number } & Record<string, unknown>;

function spec(core: Core, server: Server): ServerSpec {
  const { name, cores, memory, architecture } = choose(serverTypes, server.server_type, "server_type");
  return {
    id: server.id,
    name: server.name,
    type: { name, cores, memory, architecture, disk: server.primary_disk_size },
    location: server.location,
    image: systemImages.find((i) => i.id === server.image)?.name ?? `snapshot-${server.image}`,
    userData: server.user_data,
    sshKeys: server.ssh_keys,
    publicIpv4: core.state.find("primary_ips", server.ipv4)?.ip,
    publicIpv6: core.state.find("primary_ips", server.ipv6)?.ip,
    private: server.private_net,
    start: false,
  };
}

export const createServer = job<Id>("create-server", async (core, { id }) => {
  const server = core.state.get("servers", id);
  await core.backend.createServer(spec(core, server));
  server.made = true;
  server.status = "off";
  core.converger.note(`private:${id}`, server.private_net);
  core.state.touch();
  await core.converger.converge();
});

async function start(core: Core, server: Server): Promise<void> {
  if (server.ipv4 === null && server.ipv6 === null && server.private_net.length === 0) {
    throw new CloudError("action_failed", "the server has no network interface");
  }
  server.status = "starting";
  core.state.touch();
  // Such a server is there, costs money, and never answers.
  if (core.faults.sleeps(server.name)) return;
  await core.backend.powerOn(server.id);
  server.status = "running";
}

export const powerOn = job<Id>("power-on", (core, { id }) => start(core, core.state.get("servers", id)));

export const powerOff = job<Id>("power-off", async (core, { id }) => {
  const server = core.state.get("servers", id);
  server.status = "stopping";
  core.state.touch();
  await core.backend.powerOff(id);
  server.status = "off";
});

export const shutDown = job<Id>("shut-down", async (core, { id }) => {
  const server = core.state.get("servers", id);
  await (core.backend.shutdown?.(id) ?? core.backend.powerOff(id));
  server.status = "off";
});

export const reboot = job<Id>("reboot", async (core, { id }) => {
  const server = core.state.get("servers", id);
  if (server.status !== "running") return;
  server.rescue_enabled = false;
  await core.backend.reboot(id);
});

export const reset = job<Id>("reset", async (core, { id }) => {
  const server = core.state.get("servers", id);
  server.rescue_enabled = false;
  if (core.faults.sleeps(server.name)) {
    server.status = "starting";
    return;
  }
  await core.backend.powerOff(id);
  await core.backend.powerOn(id);
  server.status = "running";
});

export const rebuild = job<Id & { image: number; userData?: string }>(
  "rebuild",
  async (core, { id, image, userData }) => {
    const server = core.state.get("servers", id);
    server.status = "rebuilding";
    server.image = image;
    if (userData !== undefined) server.user_data = userData;
    core.state.touch();
    await core.backend.rebuild(id, { ...spec(core, server), start: true });
    server.status = "running";
  },
);

/** The cloud switches a machine on again that has got another type. */
export const changeType = job<Id & { type: string; disk: number }>("change-type", async (core, { id, type, disk }) => {
  const server = core.state.get("servers", id);
  const { name, cores, memory, architecture } = choose(serverTypes, type, "server_type");
  await core.backend.changeType?.(id, { name, cores, memory, architecture, disk });
  server.server_type = type;
  server.primary_disk_size = disk;
  await start(core, server);
});

/** Changes fields of a server and tells the backend what follows; takes the change back when that fails. */
export const changeServer = job<Id & { change: Partial<Server> }>("change-server", async (core, { id, change }) => {
  const server = core.state.get("servers", id);
  const before = { ...server };
  Object.assign(server, change);
  core.state.touch();
  try {
    await core.converger.converge();
  } catch (e) {
    Object.assign(server, before);
    throw e;
  }
});

/** What belonged to the server is detached, as the API says; addresses that were made with it go with it. */
export const deleteServer = job<Id>("delete-server", async (core, { id }) => {
  const { state } = core;
  for (const volume of state.all("volumes").filter((v) => v.server === id)) {
    await core.backend.detachVolume(volume.id);
    volume.server = null;
  }
  for (const balancer of state.all("load_balancers")) {
    balancer.targets = balancer.targets.filter((t) => t.server?.id !== id);
  }
  for (const firewall of state.all("firewalls")) {
    firewall.applied_to = firewall.applied_to.filter((t) => t.server?.id !== id);
  }
  await core.backend.deleteServer(id);
  for (const ip of state.all("primary_ips").filter((p) => p.assignee_id === id)) {
    if (ip.auto_delete) state.remove("primary_ips", ip.id);
    else ip.assignee_id = null;
  }
  for (const ip of state.all("floating_ips")) if (ip.server === id) ip.server = null;
  for (const image of state.all("images").filter((i) => i.bound_to === id)) {
    await core.backend.deleteImage?.(image.id);
    state.remove("images", image.id);
  }
  state.remove("servers", id);
  core.converger.forget(`private:${id}`, `firewall:${id}`);
  await core.converger.converge();
});
