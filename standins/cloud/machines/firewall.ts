import type { FirewallRule } from "../backend";
import { routerOf } from "./internet";
import { feed, hasNamespace, namespacePath } from "./namespaces";
import type { Site } from "./site";

/** The firewall of one server: rules, or null when it has none. */
export interface Guarded {
  id: number;
  rules: FirewallRule[] | null;
}

/** What a rule matches besides addresses, in nftables' words. */
function traffic({ protocol, port }: FirewallRule): string {
  switch (protocol) {
    case "tcp":
    case "udp":
      return port === undefined || port === "any" ? `meta l4proto ${protocol}` : `${protocol} dport ${port}`;
    case "icmp":
      return "meta l4proto { icmp, ipv6-icmp }";
    case "esp":
    case "gre":
      return `meta l4proto ${protocol}`;
  }
}

const chain = (name: string, direction: "in" | "out", rules: FirewallRule[]): string => {
  const passes = rules
    .filter((rule) => rule.direction === direction)
    .flatMap((rule) =>
      // One line an address: networks of one set must not overlap.
      (direction === "in" ? rule.sourceIps : rule.destinationIps).map((cidr) => {
        const family = cidr.includes(":") ? "ip6" : "ip";
        return `    ${family} ${direction === "in" ? "saddr" : "daddr"} ${cidr} ${traffic(rule)} return\n`;
      }),
    );
  return `  chain ${name} {\n${passes.join("")}    drop\n  }\n`;
};

/**
 * Rules of the provider's router for all servers at once. Each stands at the server's own link, so it holds for its public interface
 * and no other; connections that exist go on. A server with a firewall gets what a rule lets in, and nothing else; it may send to
 * wherever it likes until a rule of direction `out` says where (docs.hetzner.com/cloud/firewalls/overview).
 */
export function firewallText(servers: Guarded[]): string {
  const jumps: string[] = [];
  const chains: string[] = [];
  for (const { id, rules } of servers) {
    if (rules === null) continue;
    jumps.push(`    oifname "s${id}" jump to_${id}\n`);
    chains.push(chain(`to_${id}`, "in", rules));
    if (!rules.some(({ direction }) => direction === "out")) continue;
    jumps.push(`    iifname "s${id}" jump from_${id}\n`);
    chains.push(chain(`from_${id}`, "out", rules));
  }
  return `table inet firewalls
delete table inet firewalls
table inet firewalls {
${chains.join("")}  chain forward {
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
${jumps.join("")}  }
}
`;
}

/** Replaces the rules of all servers in one step. */
export function applyFirewalls(site: Site, servers: Guarded[]): void {
  const router = routerOf(site);
  if (hasNamespace(router)) feed(firewallText(servers), "nsenter", `--net=${namespacePath(router)}`, "nft", "-f", "-");
}
