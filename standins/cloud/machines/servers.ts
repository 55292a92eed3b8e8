import * as fs from "node:fs";
import * as path from "node:path";
import { openArtifacts } from "../../../artifacts";
import { killAll, makeGroups, removeGroups } from "../../../components/host/nspawn/cgroups";
import {
  killContainer,
  leader,
  Place,
  removeRunFolder,
  restartCode,
  startContainer,
  stopContainer,
  supervisor,
} from "../../../components/host/nspawn/container";
import { poll, readIfThere, withLock } from "../../../components/host/nspawn/process";
import { unpackedRootfs } from "../../../components/host/nspawn/store";
import { CloudError, FirewallRule, ServerSpec } from "../backend";
import { fillDisk } from "./disk";
import { applyFirewalls } from "./firewall";
import { imageLowers, tidyImages } from "./images";
import { connect } from "./internet";
import { makeNamespace, namespacePath, removeNamespace } from "./namespaces";
import { join, leave } from "./networks";
import { folderOf, listObjects, needObject, readObject, removeObject, Site, writeObject } from "./site";

/** A server as it is kept: what was asked for, and what it was made from. */
export interface ServerObject extends ServerSpec {
  /** The root filesystem that its disk lies on; the same as long as the disk lives. */
  rootfs: { path: string; digest: string };
  /** Its disk is filled: another call of create must leave it alone. */
  made: boolean;
  rules: FirewallRule[] | null;
}

/** Milliseconds that a machine has to begin its start (0.2 s on an idle computer), and to end its shutdown. */
const limits = { start: 60_000, stop: 30_000 };

/** The name by which nspawn and cgroups know the machine. */
export const machineName = (site: Site, id: number): string => `${site.mark}/${id}`;

/** What the machine's links are called at the routers. */
export const ownerName = (id: number): string => `s${id}`;

const namespaceOf = (site: Site, id: number): string => `${site.mark}-s${id}`;

export function placeOf(site: Site, id: number): Place & { disks: string; exit: string } {
  const inside = (name: string): string => path.join(folderOf(site, "server", id), name);
  return {
    pid: inside("pid"),
    log: inside("console.log"),
    root: inside("root"),
    upper: inside("upper"),
    work: inside("work"),
    // What can't lie on an overlay: containerd's own overlays, and volumes of pods.
    volumes: { "/var/lib/rancher": inside("rancher"), "/var/lib/kubelet": inside("kubelet") },
    /** Seen inside as /dev/disk. */
    disks: inside("disk"),
    /** What its nspawn ended with. */
    exit: inside("exit"),
  };
}

const read = (site: Site, id: number): ServerObject => needObject(site, "server", id);
const write = (site: Site, server: ServerObject): void => writeObject(site, "server", server.id, server);

/** Whether it was told to restart from inside, and waits for that. */
const isRestarting = (site: Site, id: number): boolean =>
  readIfThere(placeOf(site, id).exit)?.trim() === String(restartCode);

export const isRunning = (site: Site, id: number): boolean =>
  supervisor(machineName(site, id), placeOf(site, id)) !== undefined || isRestarting(site, id);

/** Starts servers again that were told to restart from inside. */
export async function restartServers(site: Site): Promise<void> {
  for (const id of listObjects(site, "server").filter((one) => isRestarting(site, one))) {
    // Asked again under the lock: it may have been switched off meanwhile.
    await withLock(machineName(site, id), () => (isRestarting(site, id) ? boot(site, id) : undefined));
  }
}

/** The folders that the server's disk is laid on: its root filesystem, below a snapshot when it was made from one. */
async function lowersOf(site: Site, { id, image, rootfs }: ServerObject): Promise<string[]> {
  const base = await unpackedRootfs({
    ...{ rootfs: rootfs.path, rootfsDigest: rootfs.digest },
    ...{ stack: site.mark, name: String(id) },
  });
  return [...imageLowers(site, image), base];
}

const currentRootfs = (): ServerObject["rootfs"] => {
  const { path: file, sha256 } = openArtifacts().file("rootfs");
  return { path: file, digest: sha256 };
};

export async function createServer(site: Site, spec: ServerSpec): Promise<void> {
  const known = readObject<ServerObject>(site, "server", spec.id);
  const server: ServerObject = { rootfs: currentRootfs(), rules: null, made: false, ...known, ...spec };
  write(site, server);
  if (!server.made) await fill(site, server);
  if (spec.start) await powerOn(site, spec.id);
}

async function fill(site: Site, server: ServerObject): Promise<void> {
  fillDisk(placeOf(site, server.id), await lowersOf(site, server), server);
  write(site, { ...server, made: true });
}

export const powerOn = (site: Site, id: number): Promise<void> => withLock(machineName(site, id), () => boot(site, id));

/** Starts the machine, unless it runs. The machine's lock is held. */
async function boot(site: Site, id: number): Promise<void> {
  const name = machineName(site, id);
  const place = placeOf(site, id);
  if (supervisor(name, place) !== undefined) return;
  const server = read(site, id);
  await killAll(name);
  fs.rmSync(place.exit, { force: true });
  // A new one each time: what a machine sets in its own, such as rules, ends with it.
  const namespace = namespaceOf(site, id);
  removeNamespace(namespace);
  makeNamespace(namespace);
  plug(site, server);
  makeGroups(name, {});
  fs.mkdirSync(path.join(place.disks, "by-id"), { recursive: true, mode: 0o755 });
  await startContainer(name, place, {
    hostname: readIfThere(path.join(place.upper, "etc/hostname"))?.trim() ?? server.name,
    lowers: await lowersOf(site, server),
    network: [`--network-namespace-path=${namespacePath(namespace)}`],
    binds: [`--bind=${place.disks}:/dev/disk`],
    limits: {},
    exitFile: place.exit,
  });
  let missed = 0;
  const up = await poll(limits.start, 50, () => {
    missed = supervisor(name, place) === undefined ? missed + 1 : 0;
    return missed >= 3 ? "dead" : leader(name, place);
  });
  if (typeof up === "number") return;
  const tail = (readIfThere(place.log) ?? "").trimEnd().split("\n").slice(-15).join("\n");
  throw new CloudError("action_failed", `server ${id} does not start; the end of ${place.log}:\n${tail}`);
}

/** Connects a machine's namespace to what it is attached to. */
function plug(site: Site, server: ServerObject): void {
  const [owner, namespace] = [ownerName(server.id), namespaceOf(site, server.id)];
  applyAll(site);
  connect(site, owner, namespace, { ipv4: server.publicIpv4, ipv6: server.publicIpv6 });
  join(site, owner, namespace, server.private);
}

/** A power cut. */
export const powerOff = (site: Site, id: number): Promise<void> =>
  withLock(machineName(site, id), async () => {
    await killContainer(machineName(site, id), placeOf(site, id));
    fs.rmSync(placeOf(site, id).exit, { force: true });
  });

/** The machine's own shutdown; a power cut when that takes too long. */
export const shutdown = (site: Site, id: number): Promise<void> =>
  withLock(machineName(site, id), () => stopContainer(machineName(site, id), limits.stop, placeOf(site, id)));

export async function reboot(site: Site, id: number): Promise<void> {
  await shutdown(site, id);
  await powerOn(site, id);
}

export async function rebuild(site: Site, id: number, spec: ServerSpec): Promise<void> {
  await powerOff(site, id);
  const place = placeOf(site, id);
  for (const folder of [place.upper, place.work, ...Object.values(place.volumes)]) {
    await fs.promises.rm(folder, { recursive: true, force: true });
  }
  const server = { ...read(site, id), ...spec, rootfs: currentRootfs(), made: false };
  write(site, server);
  await fill(site, server);
  tidyImages(site);
  if (spec.start) await powerOn(site, id);
}

export async function deleteServer(site: Site, id: number): Promise<void> {
  const name = machineName(site, id);
  await withLock(name, async () => {
    await killContainer(name, placeOf(site, id));
    await removeGroups(name);
    leave(site, ownerName(id));
    connect(site, ownerName(id), namespaceOf(site, id), {});
    removeNamespace(namespaceOf(site, id));
    removeRunFolder(name);
    removeObject(site, "server", id);
  });
  tidyImages(site);
  applyAll(site);
}

/** Changes what is known of a server, and its links as far as it runs: of one that is off they come with its next start. */
export function change(
  site: Site,
  id: number,
  to: Partial<Pick<ServerObject, "private" | "publicIpv4" | "publicIpv6" | "rules" | "type">>,
): void {
  const server = { ...read(site, id), ...to };
  write(site, server);
  if (to.rules !== undefined) applyAll(site);
  if (to.private === undefined) return;
  if (isRunning(site, id)) join(site, ownerName(id), namespaceOf(site, id), server.private);
  else leave(site, ownerName(id), (network) => !server.private.some(({ networkId }) => networkId === network));
}

function applyAll(site: Site): void {
  const servers = listObjects(site, "server").flatMap((id) => readObject<ServerObject>(site, "server", id) ?? []);
  applyFirewalls(site, servers);
}
