import { planNetwork } from "../../../components/host/nspawn/plan";
import { succeeds } from "../../../components/host/nspawn/process";
import type { NetworkRoute, NetworkSpec, PrivateNet } from "../backend";
import { publicLink } from "./internet";
import { metadataAddress } from "./metadata";
import { hasLink, hasNamespace, ip, links, makeNamespace, removeNamespace, setKernel } from "./namespaces";
import { listObjects, needObject, readObject, removeObject, Site, writeObject } from "./site";

/**
 * A private network: its router, alone in a network namespace, which has no link to this computer or the internet. Each machine is on
 * a link of its own to it, with an address of 32 bits and routes to the network's first address, as at Hetzner; so what machines say
 * to each other is routed, and nothing but IP passes.
 */
interface NetworkObject extends NetworkSpec {
  routes: NetworkRoute[];
  /** Which owner's link leads to which addresses. */
  members: Record<string, PrivateNet>;
}

export const namespaceOf = (site: Site, id: number): string => `${site.mark}-n${id}`;

/** What the link's owner is called that has a private address: `s12` is server 12. */
export function ownerOf(site: Site, id: number, address: string): string | undefined {
  const members = Object.entries(readObject<NetworkObject>(site, "network", id)?.members ?? {});
  return members.find(([, net]) => net.ip === address || net.aliasIps.includes(address))?.[0];
}

/** The router's address: the network's first. */
export const routerAddress = (ipRange: string): string => planNetwork(ipRange).gateway;

/** As Hetzner's private interfaces have it (docs.hetzner.com/cloud/networks/faq): an overlay of theirs takes the other 50 bytes. */
const mtu = 1450;

export function makeNetwork(site: Site, network: NetworkSpec): void {
  const known = readObject<NetworkObject>(site, "network", network.id);
  writeObject(site, "network", network.id, { routes: [], members: {}, ...known, ...network });
  raise(site, network.id);
}

/** Makes the network's router, or repairs it. */
export function raise(site: Site, id: number): NetworkObject {
  const network = needObject<NetworkObject>(site, "network", id);
  const namespace = namespaceOf(site, id);
  makeNamespace(namespace);
  setKernel(namespace, { "net.ipv4.ip_forward": "1", "net.ipv4.conf.all.rp_filter": "1" });
  ip(namespace, [`route replace unreachable ${network.ipRange} metric 4000`]);
  return network;
}

export function removeNetwork(site: Site, id: number): void {
  removeNamespace(namespaceOf(site, id));
  removeObject(site, "network", id);
}

/** Sets the routes that the router has besides those to its machines. */
export function setRoutes(site: Site, id: number, routes: NetworkRoute[]): void {
  const network = raise(site, id);
  const gone = network.routes.filter((old) => !routes.some((route) => route.destination === old.destination));
  for (const { destination } of gone) succeeds("ip", "-n", namespaceOf(site, id), "route", "del", destination);
  writeObject(site, "network", id, { ...network, routes });
  layRoutes(site, id);
}

/** A route leads to the machine that has the address of its gateway; while none has, it leads nowhere. */
function layRoutes(site: Site, id: number): void {
  const { routes, members } = needObject<NetworkObject>(site, "network", id);
  const namespace = namespaceOf(site, id);
  for (const { destination, gateway } of routes) {
    const owner = Object.keys(members).find((name) => members[name]!.ip === gateway);
    if (owner === undefined || !hasLink(namespace, owner)) succeeds("ip", "-n", namespace, "route", "del", destination);
    else ip(namespace, [`route replace ${destination} via ${gateway} dev ${owner} onlink`]);
  }
}

/** Name of the next private interface, as Hetzner's servers number theirs from the first bus on. */
function nextName(taken: string[]): string {
  let bus = 7;
  while (taken.includes(`enp${bus}s0`)) bus++;
  return `enp${bus}s0`;
}

/** Gives a namespace its interfaces in private networks: exactly these. Can be repeated, also while a machine runs in it. */
export function join(site: Site, owner: string, namespace: string, nets: PrivateNet[]): void {
  leave(site, owner, (id) => !nets.some(({ networkId }) => networkId === id));
  for (const net of nets) {
    const network = raise(site, net.networkId);
    const router = namespaceOf(site, net.networkId);
    const label = `network-${net.networkId}`;
    const inside = links(namespace);
    let name = inside.find(({ ifalias }) => ifalias === label)?.ifname;
    if (name === undefined) {
      name = nextName(inside.map(({ ifname }) => ifname));
      succeeds("ip", "-n", router, "link", "del", owner);
      ip(namespace, [
        `link add ${name} address ${net.mac} mtu ${mtu} type veth peer name ${owner} mtu ${mtu} netns ${router}`,
        `link set ${name} alias ${label}`,
      ]);
    }
    const gateway = routerAddress(network.ipRange);
    const all = [net.ip, ...net.aliasIps];
    const old = network.members[owner];
    const gone = old ? [old.ip, ...old.aliasIps].filter((address) => !all.includes(address)) : [];
    for (const address of gone) succeeds("ip", "-n", router, "route", "del", `${address}/32`);
    if (old && gone.includes(old.ip)) succeeds("ip", "-n", namespace, "addr", "del", `${old.ip}/32`, "dev", name);
    ip(router, [
      `link set ${owner} up`,
      `addr replace ${gateway}/32 dev ${owner}`,
      ...all.map((address) => `route replace ${address}/32 dev ${owner}`),
    ]);
    // As the address service of such a network tells it; further addresses are the machine's own to set up.
    ip(namespace, [
      `link set ${name} up`,
      `addr replace ${net.ip}/32 dev ${name}`,
      `route replace ${gateway}/32 dev ${name} scope link src ${net.ip}`,
      `route replace ${network.ipRange} via ${gateway} dev ${name} src ${net.ip}`,
      ...(inside.some(({ ifname }) => ifname === publicLink)
        ? []
        : [`route replace ${metadataAddress}/32 via ${gateway} dev ${name}`]),
    ]);
    writeObject(site, "network", net.networkId, { ...network, members: { ...network.members, [owner]: net } });
    layRoutes(site, net.networkId);
  }
}

/** Takes the owner out of the networks that `which` says; default all. */
export function leave(site: Site, owner: string, which: (networkId: number) => boolean = () => true): void {
  for (const id of listObjects(site, "network").filter(which)) {
    const network = readObject<NetworkObject>(site, "network", id);
    if (!network?.members[owner]) continue;
    const { [owner]: _left, ...members } = network.members;
    writeObject(site, "network", id, { ...network, members });
    if (!hasNamespace(namespaceOf(site, id))) continue;
    succeeds("ip", "-n", namespaceOf(site, id), "link", "del", owner);
    layRoutes(site, id);
  }
}
