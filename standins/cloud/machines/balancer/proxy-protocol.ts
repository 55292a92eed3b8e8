import * as net from "node:net";

/** Who talks to whom, as the target is told. */
export interface Talk {
  source: { address: string; port: number };
  destination: { address: string; port: number };
}

/** `::ffff:192.0.2.1` is IPv4 on a socket that takes both. */
export const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/, "");

/** The 16 bytes of an IPv6 address. */
function bytesOf6(address: string): Buffer {
  const [head, tail] = address.split("%")[0]!.split("::") as [string, string?];
  const groups = (part: string | undefined): number[] =>
    (part ?? "")
      .split(":")
      .filter(Boolean)
      .flatMap((group) => {
        if (!group.includes(".")) return [Number.parseInt(group, 16)];
        const [a, b, c, d] = group.split(".").map(Number) as [number, number, number, number];
        return [a * 256 + b, c * 256 + d];
      });
  const [before, after] = [groups(head), groups(tail)];
  const all = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 255]));
}

const bytesOf = (address: string): Buffer =>
  net.isIPv4(address) ? Buffer.from(address.split(".").map(Number)) : bytesOf6(address);

/** Header of the PROXY protocol, section 2.1 (version 1, text) or 2.2 (version 2, binary) of its specification. */
export function proxyHeader({ source, destination }: Talk, version: 1 | 2): Buffer {
  const [from, to] = [plain(source.address), plain(destination.address)];
  const isV4 = net.isIPv4(from);
  if (version === 1) {
    return Buffer.from(`PROXY ${isV4 ? "TCP4" : "TCP6"} ${from} ${to} ${source.port} ${destination.port}\r\n`);
  }
  const addresses = Buffer.concat([bytesOf(from), bytesOf(to)]);
  const header = Buffer.alloc(16 + addresses.length + 4);
  header.set([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, isV4 ? 0x11 : 0x21]);
  header.writeUInt16BE(addresses.length + 4, 14);
  addresses.copy(header, 16);
  header.writeUInt16BE(source.port, 16 + addresses.length);
  header.writeUInt16BE(destination.port, 18 + addresses.length);
  return header;
}
