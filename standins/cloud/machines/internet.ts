import * as fs from "node:fs";
import { acquire, release } from "../../../components/host/nspawn/changes";
import { run, succeeds } from "../../../components/host/nspawn/process";
import { hasLink, hasNamespace, ip, makeNamespace, removeNamespace, setKernel } from "./namespaces";
import { addresses, Site } from "./site";

/**
 * The provider's router towards the internet, in a network namespace of its own. Each public interface of a server or balancer is a
 * link of its own to it, as at Hetzner: an address of 32 bits whose gateway is 172.31.1.1 (fe80::1 for IPv6), and nothing that two
 * servers share. It leads to this computer, which has the first address of the internet and, where there is one, a way further out.
 */
export const routerOf = (site: Site): string => `${site.mark}-internet`;

/** Gateways that every server sees at its public interface (docs.hetzner.com/cloud/servers/static-configuration). */
const gateway = { v4: "172.31.1.1", v6: "fe80::1" };

const hasIpv6 = (): boolean => fs.existsSync("/proc/net/if_inet6");

const uplink = (site: Site) => ({ ...addresses(site.internet), bridge: site.mark, gateway: `${site.internet.v4}.1` });

/** This computer's name in the record of who needs the bridge. */
const holder = (site: Site): string => `${site.mark}/internet`;

/** Makes the internet: bridge, router, and this computer's routes to what lies behind it. Can be repeated. */
export async function makeInternet(site: Site): Promise<void> {
  const plan = addresses(site.internet);
  const router = routerOf(site);
  await acquire(uplink(site), holder(site));
  makeNamespace(router);
  if (!hasLink(router, "uplink")) {
    const outside = `${site.mark}-up`;
    succeeds("ip", "link", "del", outside);
    run("ip", "link", "add", outside, "type", "veth", "peer", "name", "uplink", "netns", router);
    run("ip", "link", "set", outside, "master", site.mark, "up");
  }
  // Strict reverse paths: who sends from an address that is not its own is dropped, private ones included.
  setKernel(router, { "net.ipv4.ip_forward": "1", "net.ipv4.conf.all.rp_filter": "1" });
  ip(router, [
    "link set uplink up",
    `addr replace ${plan.router}/${plan.prefix} dev uplink`,
    `route replace default via ${plan.computer}`,
  ]);
  run("ip", "route", "replace", plan.publicV4, "via", plan.router);
  if (!hasIpv6()) return;
  setKernel(router, { "net.ipv6.conf.all.forwarding": "1" });
  // No default route: a server that tries an IPv6 address of the real internet is told at once that there is no way.
  ip(router, [`addr replace ${plan.routerV6}/64 dev uplink nodad`]);
  run("ip", "-6", "addr", "replace", `${plan.computerV6}/64`, "dev", site.mark, "nodad");
  run("ip", "-6", "route", "replace", plan.publicV6, "via", plan.routerV6);
}

/** Takes the internet away; the bridge's addresses and routes go with it. */
export async function removeInternet(site: Site): Promise<void> {
  removeNamespace(routerOf(site));
  await release(site.mark, holder(site));
}

/** An address without a prefix length; of a network of 64 bits its first. */
export const firstOf = (address: string): string => (address.endsWith("::/64") ? `${address.slice(0, -3)}1` : address);

/** Name of the public interface, inside. */
export const publicLink = "eth0";

/**
 * Gives a namespace its public interface, or takes it away when there are no addresses.
 *
 * @param owner what the link is called at the router: `s12` of server 12, `b7` of balancer 7
 */
export function connect(site: Site, owner: string, namespace: string, at: { ipv4?: string; ipv6?: string }): void {
  const router = routerOf(site);
  if (at.ipv4 === undefined && at.ipv6 === undefined) {
    if (hasNamespace(router)) succeeds("ip", "-n", router, "link", "del", owner);
    return;
  }
  if (!hasLink(namespace, publicLink)) {
    succeeds("ip", "-n", router, "link", "del", owner);
    ip(namespace, [`link add ${publicLink} type veth peer name ${owner} netns ${router}`]);
  }
  const outside = [`link set ${owner} up`];
  const inside = [`link set ${publicLink} up`];
  if (at.ipv4 !== undefined) {
    outside.push(`addr replace ${gateway.v4}/32 dev ${owner}`, `route replace ${at.ipv4}/32 dev ${owner}`);
    inside.push(
      `addr replace ${at.ipv4}/32 dev ${publicLink}`,
      `route replace ${gateway.v4}/32 dev ${publicLink} scope link`,
      `route replace default via ${gateway.v4} dev ${publicLink} onlink`,
    );
  }
  if (at.ipv6 !== undefined && hasIpv6()) {
    outside.push(`addr replace ${gateway.v6}/64 dev ${owner} nodad`);
    outside.push(`route replace ${at.ipv6.includes("/") ? at.ipv6 : `${at.ipv6}/128`} dev ${owner}`);
    inside.push(
      `addr replace ${firstOf(at.ipv6)}/64 dev ${publicLink} nodad`,
      `route replace ::/0 via ${gateway.v6} dev ${publicLink}`,
    );
  }
  ip(router, outside);
  ip(namespace, inside);
}
