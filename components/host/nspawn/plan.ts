import type { HostRole } from "../host";
import type { NspawnSettings } from "../settings";

/** One machine as the graph wants it. */
export interface PlannedMachine {
  name: string;
  role: HostRole;
  address: string;
}

/** What the machine tool needs to know of one machine; nothing in it is secret. */
export interface MachineSpec {
  stack: string;
  name: string;
  address: string;
  /** Length of the network's prefix. */
  prefix: number;
  /** This computer's address on the bridge: the machine's default route. */
  gateway: string;
  bridge: string;
  /** Goes into root's authorized_keys. */
  publicKey: string;
  /** Path of the root filesystem's archive, from the cache's folder on, and the digest of its content. */
  rootfs: string;
  rootfsDigest: string;
  /** Bytes; no limit when missing. */
  memory?: number;
  cpus?: number;
}

const toNumber = (address: string): number => address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
const toAddress = (value: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");

/** First address of the network, the prefix's length and the address of this computer in it. */
export function planNetwork(cidr: string): { base: number; prefix: number; gateway: string } {
  const [address, length] = cidr.split("/");
  const prefix = Number(length);
  const size = 2 ** (32 - prefix);
  const base = Math.floor(toNumber(address!) / size) * size;
  return { base, prefix, gateway: toAddress(base + 1) };
}

/** Whether two IPv4 networks share an address. */
export function overlaps(left: string, right: string): boolean {
  const [a, b] = [planNetwork(left), planNetwork(right)];
  return a.base < b.base + 2 ** (32 - b.prefix) && b.base < a.base + 2 ** (32 - a.prefix);
}

/**
 * Names and addresses of the machines. Servers begin at .10 and agents at .20, so that a machine keeps its
 * address when machines of the other role come or go.
 */
export function planMachines(
  settings: Pick<NspawnSettings, "servers" | "agents"> & { network: { cidr: string } },
): PlannedMachine[] {
  const { base } = planNetwork(settings.network.cidr);
  const row = (role: HostRole, count: number, first: number): PlannedMachine[] =>
    Array.from({ length: count }, (_, index) => ({
      name: `${role}-${index + 1}`,
      role,
      address: toAddress(base + first + index),
    }));
  return [...row("server", settings.servers, 10), ...row("agent", settings.agents, 20)];
}

/** `4Gi` in bytes. */
export function bytes(size: string): number {
  return Number.parseInt(size, 10) * (size.endsWith("Gi") ? 2 ** 30 : 2 ** 20);
}
