import * as net from "node:net";

/** An IPv4 network as numbers. `address` is what was written, `first` and `last` are the ends of the network. */
export interface Cidr {
  address: number;
  prefix: number;
  first: number;
  last: number;
}

/** An IPv4 address as a number, or undefined for a text that is none. */
export function parseAddress(text: string): number | undefined {
  if (!net.isIPv4(text)) return undefined;
  return text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** The reverse of {@link parseAddress}. */
export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}

/** `10.41.0.0/24` as numbers, or undefined for a text that is no IPv4 network. */
export function parseCidr(text: string): Cidr | undefined {
  const [, dotted, length] = /^([0-9.]+)\/(\d{1,2})$/.exec(text) ?? [];
  const address = parseAddress(dotted ?? "");
  const prefix = Number(length);
  if (address === undefined || !(prefix <= 32)) return undefined;
  const size = 2 ** (32 - prefix);
  const first = Math.floor(address / size) * size;
  return { address, prefix, first, last: first + size - 1 };
}

/** The network without what stands in its host part: `10.41.0.7/24` is `10.41.0.0/24`. */
export const formatNetwork = (cidr: Cidr): string => `${formatAddress(cidr.first)}/${cidr.prefix}`;

/** How many addresses it has, the first and the last included. */
export const size = (cidr: Cidr): number => cidr.last - cidr.first + 1;

/** Whether the address is in the network. */
export const holds = (cidr: Cidr, address: number): boolean => cidr.first <= address && address <= cidr.last;

/** Whether the two share an address. */
export const overlap = (a: Cidr, b: Cidr): boolean => a.first <= b.last && b.first <= a.last;

/** Networks that no machine, pod or service can live in, with what they are for (RFC 6890). */
const RESERVED: [string, string][] = [
  ["0.0.0.0/8", "this network"],
  ["127.0.0.0/8", "loopback"],
  ["169.254.0.0/16", "link-local"],
  ["224.0.0.0/4", "multicast"],
  ["240.0.0.0/4", "reserved"],
];

/** What a reserved network that this one touches is for, or undefined when there is none. */
export function reservedFor(cidr: Cidr): string | undefined {
  return RESERVED.find(([text]) => overlap(parseCidr(text)!, cidr))?.[1];
}
