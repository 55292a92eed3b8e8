import { everywhere } from "./world";

/** A rule of an nftables chain that lets traffic in from everyone. */
export interface OpenRule {
  /** `tcp`, `udp`, or unset where it is not about a protocol with ports. */
  protocol?: "tcp" | "udp";
  /** `443` or `80-90`; empty where every port is meant. */
  ports: string[];
  text: string;
}

/** An input chain: what happens to what no rule takes, and what is open to everyone. */
export interface InputChain {
  name: string;
  dropsByDefault: boolean;
  open: OpenRule[];
}

/** Restricts a rule to some senders, to the machine itself, or to answers. */
const restricted = /\b(ct state|ct status|iif|iifname|fib saddr|meta iif(name)?)\b/;

function opens(line: string): OpenRule | undefined {
  if (!/\baccept\b/.test(line) || restricted.test(line)) return undefined;
  const source = /\bip6?\s+saddr\s+(\{[^}]*\}|\S+)/.exec(line)?.[1];
  if (source !== undefined && !everywhere.some((network) => members(source).includes(network))) return undefined;
  const port = /\b(tcp|udp)\s+dport\s+(\{[^}]*\}|\S+)/.exec(line);
  if (port) return { protocol: port[1] as "tcp" | "udp", ports: members(port[2]!), text: line };
  if (/\bicmp(v6)?\b|ipv6-icmp/.test(line)) return undefined;
  return { ports: [], text: line };
}

const members = (set: string): string[] =>
  set
    .replace(/[{}]/g, " ")
    .split(/[\s,]+/)
    .filter((member) => member !== "");

/**
 * The input chains of an nftables ruleset inside a longer text, as far as rules are written one a line and sets in one
 * line. Chains that are jumped to are not followed.
 */
export function inputChains(text: string): InputChain[] {
  return [...text.matchAll(/^\s*chain\s+(\S+)\s*\{\s*$([\s\S]*?)^\s*\}\s*$/gm)].flatMap(([, name, body]) => {
    const lines = body!.split("\n").map((line) => line.replace(/#.*/, "").trim());
    if (!/\bhook\s+input\b/.test(body!)) return [];
    return [
      {
        name: name!,
        dropsByDefault: /\bpolicy\s+drop\b/.test(body!),
        open: lines.flatMap((line) => opens(line) ?? []),
      },
    ];
  });
}
