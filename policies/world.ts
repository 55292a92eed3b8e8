/** Networks that mean everyone. */
export const everywhere: readonly string[] = ["0.0.0.0/0", "::/0"];

/** Ports that may be open to everyone, by protocol. */
export interface WorldPorts {
  tcp: readonly number[];
  udp: readonly number[];
}

/** HTTPS with its redirect, and WireGuard, which answers nobody whose key it does not know. */
export const usualWorldPorts: WorldPorts = { tcp: [80, 443], udp: [51820] };

/** The list of a rule's configuration, or the usual one. */
export const worldPorts = (config: Record<string, any>): WorldPorts => ({
  ...usualWorldPorts,
  ...(config["worldPorts"] as WorldPorts | undefined),
});

/** Whether all ports of `443`, `80-90` or `any` are on a list. */
export function allListed(ports: string, listed: readonly number[]): boolean {
  const [, from, to] = /^(\d+)(?:-(\d+))?$/.exec(ports.trim()) ?? [];
  if (from === undefined) return false;
  const last = Number(to ?? from);
  // A longer range than the list can not be on it.
  if (last - Number(from) >= listed.length) return false;
  return Array.from({ length: last - Number(from) + 1 }, (_, i) => Number(from) + i).every((p) => listed.includes(p));
}
