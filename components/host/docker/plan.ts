import type { PlannedMachine } from "../nspawn/plan";
import type { DockerSettings } from "./settings";

/** Ports of a machine that this computer has as its own: port of the machine to port of this computer. */
export interface Published {
  /** Address of this computer at which the ports are open. */
  address: string;
  ports: Record<number, number>;
}

/** What the container tool needs to know of one machine; nothing in it is secret. */
export interface ContainerSpec {
  stack: string;
  name: string;
  address: string;
  /** The stack's network, and the engine's own address in it. */
  cidr: string;
  gateway: string;
  /** Goes into root's authorized_keys. */
  publicKey: string;
  /** Path of the root filesystem's archive, from the cache's folder on, and the digest of its content. */
  rootfs: string;
  rootfsDigest: string;
  /** Set where this computer can't reach the machine's address. */
  published?: Published;
  /** Bytes; no limit when missing. */
  memory?: number;
  cpus?: number;
}

/** Ports that people use: they are the first server's, as the ingress and the API are reached at one address. */
const publicPorts = [80, 443, 6443];

/** From the first server's port of SSH to the first agent's, so that a machine keeps its port when others come or go. */
const agentOffset = 10;

/** What is published of a machine, or undefined where its own address is reached. */
export function publishedOf(settings: DockerSettings, machine: PlannedMachine): Published | undefined {
  const { enabled, address, sshPort } = settings.publish;
  if (!enabled) return undefined;
  const index = Number(machine.name.split("-").at(-1)) - 1;
  const ports: Record<number, number> = { 22: sshPort + index + (machine.role === "agent" ? agentOffset : 0) };
  if (machine.role === "server" && index === 0) for (const port of publicPorts) ports[port] = port;
  return { address, ports };
}

/** How the machine's own names begin in the engine: containers and volumes of a stack. */
export const containerName = (of: { stack: string; name: string }): string => `groundwork-${of.stack}-${of.name}`;
export const networkName = (stack: string): string => `groundwork-${stack}`;

/** Folders that must not lie on the container's overlay: containerd's own overlays, and volumes of pods. */
export const volumesOf = (of: { stack: string; name: string }): Record<string, string> => ({
  "/var/lib/rancher": `${containerName(of)}-rancher`,
  "/var/lib/kubelet": `${containerName(of)}-kubelet`,
});
