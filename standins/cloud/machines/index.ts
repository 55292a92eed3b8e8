import { succeeds } from "../../../components/host/nspawn/process";
import { Backend, CloudError, FirewallRule, PrivateNet } from "../backend";
import { deleteBalancer, healthOf, reviveBalancers, setBalancer } from "./balancers";
import { deleteImage, makeImage } from "./images";
import { makeInternet, removeInternet, routerOf } from "./internet";
import { Metadata, MetadataService } from "./metadata";
import { listNamespaces, removeNamespace } from "./namespaces";
import { makeNetwork, namespaceOf, ownerOf, raise, removeNetwork, setRoutes } from "./networks";
import * as servers from "./servers";
import { addresses, closeSite, listObjects, needObject, openSite, readObject, Site } from "./site";
import * as volumes from "./volumes";

/** A backend whose servers are systemd-nspawn machines of this computer. Needs root. */
export interface MachinesBackend extends Backend {
  /** This computer's address in the emulated internet: where its API has to listen, for servers to reach it. */
  readonly computer: string;
  readonly publicRange: { ipv4: string; ipv6: string };
  /** Takes everything away that was ever made, and the internet with it. */
  destroy(): Promise<void>;
}

/** An error that is none of the API's becomes one: the emulator answers with it instead of ending. */
async function told<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CloudError) throw error;
    throw new CloudError("server_error", (error as Error).message);
  }
}

/**
 * Makes the emulated internet, and gives the backend that puts machines into it.
 *
 * @param options.folder where everything of this cloud is kept; the same folder is the same cloud, also in another process
 */
export async function machinesBackend(options: { folder: string }): Promise<MachinesBackend> {
  const missing = ["ip", "losetup", "nft", "nsenter", "systemd-nspawn", "unshare"].filter(
    (command) => !succeeds("which", command),
  );
  if (process.getuid?.() !== 0) throw new Error("the emulator's machines need root: run it as root");
  if (missing.length > 0)
    throw new Error(`the emulator's machines need commands that are missing: ${missing.join(", ")}`);
  const site = await openSite(options.folder);
  await makeInternet(site);
  const { computer, publicV4, publicV6 } = addresses(site.internet);
  const metadata = new MetadataService();
  const answerIn = (network: number): Promise<unknown> =>
    metadata.start(namespaceOf(site, network), (address) => askedBy(site, ownerOf(site, network, address)));
  await metadata.start(routerOf(site), (address) => publicServer(site, address));
  for (const network of listObjects(site, "network")) {
    raise(site, network);
    await answerIn(network);
  }
  const keeper = keep(site);
  return {
    computer,
    publicRange: { ipv4: publicV4, ipv6: publicV6 },

    createNetwork: (network) =>
      told(async () => {
        makeNetwork(site, network);
        await answerIn(network.id);
      }),
    deleteNetwork: (id) =>
      told(async () => {
        await metadata.end(namespaceOf(site, id));
        removeNetwork(site, id);
      }),
    setRoutes: (id, routes) => told(() => setRoutes(site, id, routes)),

    createServer: (server) => told(() => servers.createServer(site, server)),
    deleteServer: (id) => told(() => removeServer(site, id)),
    powerOn: (id) => told(() => servers.powerOn(site, id)),
    powerOff: (id) => told(() => servers.powerOff(site, id)),
    shutdown: (id) => told(() => servers.shutdown(site, id)),
    reboot: (id) => told(() => servers.reboot(site, id)),
    rebuild: (id, server) => told(() => servers.rebuild(site, id, server)),
    setPrivate: (id, nets: PrivateNet[]) => told(() => servers.change(site, id, { private: nets })),
    setPublic: (id, { ipv4, ipv6 }) => told(() => servers.change(site, id, { publicIpv4: ipv4, publicIpv6: ipv6 })),
    changeType: (id, type) => told(() => servers.change(site, id, { type })),
    setFirewall: (id, rules: FirewallRule[] | null) => told(() => servers.change(site, id, { rules })),
    isRunning: (id) => told(() => servers.isRunning(site, id)),

    createVolume: (volume) => told(() => volumes.createVolume(site, volume)),
    attachVolume: (volume, serverId) => told(() => volumes.attachVolume(site, volume, serverId)),
    detachVolume: (id) => told(() => volumes.detachVolume(site, id)),
    resizeVolume: (id, gigabytes) => told(() => volumes.resizeVolume(site, id, gigabytes)),
    deleteVolume: (id) => told(() => volumes.deleteVolume(site, id)),

    setLoadBalancer: (balancer) => told(() => setBalancer(site, balancer)),
    deleteLoadBalancer: (id) => told(() => deleteBalancer(site, id)),
    healthOf: (id) => told(() => healthOf(site, id)),

    createImage: (serverId, imageId) =>
      told(() => {
        const { image } = needObject<servers.ServerObject>(site, "server", serverId);
        return makeImage(site, servers.placeOf(site, serverId).upper, image, imageId);
      }),
    deleteImage: (id) => told(() => deleteImage(site, id)),

    stop: () =>
      told(async () => {
        clearInterval(keeper);
        await metadata.stop();
        await leaveIfEmpty(site);
      }),
    destroy: () =>
      told(async () => {
        clearInterval(keeper);
        await metadata.stop();
        await clean(options.folder);
      }),
  };
}

const askedBy = (site: Site, owner: string | undefined): Metadata | undefined =>
  owner?.startsWith("s") ? readObject<servers.ServerObject>(site, "server", Number(owner.slice(1))) : undefined;

function publicServer(site: Site, address: string): Metadata | undefined {
  const all = listObjects(site, "server").map((id) => readObject<servers.ServerObject>(site, "server", id));
  return all.find((server) => server?.publicIpv4 === address);
}

/** Looks after what ends by itself. What fails is tried again by the next turn. */
function keep(site: Site): NodeJS.Timeout {
  let busy = false;
  const turn = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    // A machine that restarts itself needs a new network namespace, which is made outside of it.
    await servers.restartServers(site).catch(() => undefined);
    await reviveBalancers(site).catch(() => undefined);
    busy = false;
  };
  return setInterval(() => void turn(), 500).unref();
}

async function removeServer(site: Site, id: number): Promise<void> {
  await servers.powerOff(site, id);
  await volumes.releaseVolumes(site, id);
  await servers.deleteServer(site, id);
}

/** The internet goes with the last thing that stands in it. */
async function leaveIfEmpty(site: Site): Promise<void> {
  const kinds = ["network", "server", "volume", "balancer"] as const;
  if (kinds.some((kind) => listObjects(site, kind).length > 0)) return;
  await removeInternet(site);
  closeSite(site);
}

/** Takes away everything that an emulator with this folder made, also one that was killed. Can be repeated. */
export async function clean(folder: string): Promise<void> {
  const site = await openSite(folder);
  for (const id of listObjects(site, "balancer")) await deleteBalancer(site, id);
  for (const id of listObjects(site, "server")) await removeServer(site, id);
  for (const id of listObjects(site, "volume")) await volumes.deleteVolume(site, id);
  for (const id of listObjects(site, "network")) removeNetwork(site, id);
  for (const namespace of listNamespaces(site.mark)) removeNamespace(namespace);
  await removeInternet(site);
  closeSite(site);
}
