/** Addresses and networks of IPv4 as numbers, and what is free in them. Networks of IPv6 are handed out as texts of 64 bits. */

export interface Cidr {
  /** First address. */
  base: number;
  /** Prefix length. */
  bits: number;
}

const octet = /^(0|[1-9]\d{0,2})$/;

/** The number of an IPv4 address; undefined when it is none. */
export function parseIp(text: unknown): number | undefined {
  if (typeof text !== "string") return undefined;
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((p) => octet.test(p) && Number(p) < 256)) return undefined;
  return parts.reduce((n, p) => n * 256 + Number(p), 0);
}

export function formatIp(n: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(n / 2 ** shift) % 256).join(".");
}

/** A network; undefined when it is none, or when its address has bits beyond the prefix. */
export function parseCidr(text: unknown): Cidr | undefined {
  if (typeof text !== "string") return undefined;
  const [ip, bits, more] = text.split("/");
  const base = parseIp(ip);
  if (base === undefined || bits === undefined || more !== undefined || !/^\d{1,2}$/.test(bits)) return undefined;
  const cidr = { base, bits: Number(bits) };
  return cidr.bits <= 32 && base % size(cidr) === 0 ? cidr : undefined;
}

export const size = ({ bits }: Cidr): number => 2 ** (32 - bits);
export const formatCidr = ({ base, bits }: Cidr): string => `${formatIp(base)}/${bits}`;
export const holds = (outer: Cidr, ip: number): boolean => ip >= outer.base && ip < outer.base + size(outer);
export const contains = (outer: Cidr, inner: Cidr): boolean => inner.bits >= outer.bits && holds(outer, inner.base);
export const overlap = (a: Cidr, b: Cidr): boolean => contains(a, b) || contains(b, a);

/** Whether a network lies in one of the private ranges of RFC 1918. */
export function isPrivate(cidr: Cidr): boolean {
  return ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].some((range) => contains(parseCidr(range)!, cidr));
}

/** The first address of a network that a machine can have and nobody has: neither its first (the gateway), nor its last. */
export function freeIp(cidr: Cidr, taken: ReadonlySet<string>, reserved: readonly string[] = []): string | undefined {
  for (let n = cidr.base + 2; n < cidr.base + size(cidr) - 1; n++) {
    const ip = formatIp(n);
    if (!taken.has(ip) && !reserved.includes(ip)) return ip;
  }
  return undefined;
}

/** The first network of `bits` within another that overlaps with none of those taken. */
export function freeCidr(outer: Cidr, bits: number, taken: readonly Cidr[]): Cidr | undefined {
  for (let base = outer.base; base < outer.base + size(outer); base += 2 ** (32 - bits)) {
    if (!taken.some((t) => overlap(t, { base, bits }))) return { base, bits };
  }
  return undefined;
}

/** The first network of 64 bits within `prefix` (`2001:db8::/48`) that is not taken. */
export function freeIpv6(prefix: string, taken: ReadonlySet<string>): string {
  const [head = ""] = prefix.split("::");
  const groups = head.split(":").filter(Boolean);
  while (groups.length < 3) groups.push("0");
  for (let n = 1; n < 65_536; n++) {
    const net = `${[...groups.slice(0, 3), n.toString(16)].join(":")}::/64`;
    if (!taken.has(net)) return net;
  }
  throw new Error(`no network is left in ${prefix}`);
}

/** A text that is an IPv4 or IPv6 network, as firewall rules name them. */
export function isAnyCidr(text: unknown): boolean {
  if (typeof text !== "string") return false;
  if (parseCidr(text)) return true;
  const [ip = "", bits] = text.split("/");
  return (
    /^[0-9a-fA-F:]*:[0-9a-fA-F:.]*$/.test(ip) && bits !== undefined && /^\d{1,3}$/.test(bits) && Number(bits) <= 128
  );
}

/** A hardware address that belongs to a private address: local, and the same at each attachment. */
export function macOf(serverId: number, networkId: number): string {
  const bytes = [0x86, 0x00, (serverId >> 16) & 255, (serverId >> 8) & 255, serverId & 255, networkId & 255];
  return bytes.map((b) => b.toString(16).padStart(2, "0")).join(":");
}
