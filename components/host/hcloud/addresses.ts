/** An IPv4 network as numbers. */
interface Network {
  first: number;
  size: number;
}

/** `10.0.0.0/16` as numbers; the settings' schema has seen that it is one. */
export function networkOf(cidr: string): Network {
  const [address = "", prefix = "32"] = cidr.split("/");
  const size = 2 ** (32 - Number(prefix));
  const number = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  return { first: Math.floor(number / size) * size, size };
}

/** The address at a place in a network, the network's own being at 0. */
export function addressAt(cidr: string, offset: number): string {
  const number = networkOf(cidr).first + offset;
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");
}

/** A network that is large enough to have a part of its own (its second 256 addresses) for what people look up. */
const isLarge = (size: number): boolean => size >= 1024;

/** Where in a subnet the gateway, the balancers and the first server are. The first addresses belong to Hetzner. */
export function layoutOf(subnet: string): { gateway: number; api: number; ingress: number; server: number } {
  const base = isLarge(networkOf(subnet).size) ? 256 : 0;
  return { gateway: base + 2, api: base + 3, ingress: base + 4, server: base + 11 };
}

/**
 * Where in a subnet an agent is: a place that its name alone decides, so that pools and machines come, go and change places
 * in the settings without moving any other. Two names may fall on one place, which is told as a problem of the settings; in
 * the default subnet it is one chance in 65,000 for each pair.
 */
export function agentOffset(subnet: string, name: string): number {
  const { size } = networkOf(subnet);
  const from = isLarge(size) ? 512 : 32;
  return from + (fnv1a(name) % (size - from - 1));
}

/** FNV-1a, 32 bits (draft-eastlake-fnv): spreads short names well, and needs no library. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}
