/**
 * What stands behind the emulator of the cloud: it keeps the objects of the API, a backend gives them a body. `paper` has none,
 * `machines` makes a machine of each server. Every function may be called again with the same arguments (the emulator repeats what
 * was under way when it was killed) and has then nothing left to do. What it throws as `CloudError` becomes the error of the action.
 */

/** An error in the API's terms: its code and message reach the client, in an action or in the answer itself. */
export class CloudError extends Error {
  constructor(
    /** Code of the API, such as `resource_unavailable` or `action_failed`. */
    readonly code: string,
    message: string,
    /** What the API adds to some codes: fields of `invalid_input`, limits of `resource_limit_exceeded`. */
    readonly details?: Record<string, unknown>,
  ) {
    super(message);
    this.name = "CloudError";
  }
}

/** A private network. Its gateway is the first address of the range, and answers nothing but routes. */
export interface NetworkSpec {
  id: number;
  name: string;
  /** CIDR that holds all subnets. */
  ipRange: string;
  subnets: { ipRange: string; gateway: string; type: "cloud" | "server" | "vswitch"; networkZone: string }[];
}

/** Traffic to `destination` that leaves a machine of the network goes to the machine with the private address `gateway`. */
export interface NetworkRoute {
  destination: string;
  gateway: string;
}

/** What a server type is made of. */
export interface MachineType {
  name: string;
  cores: number;
  /** Gigabytes. */
  memory: number;
  /** Gigabytes. */
  disk: number;
  architecture: "x86" | "arm";
}

/** An interface in a private network. */
export interface PrivateNet {
  networkId: number;
  ip: string;
  aliasIps: string[];
  mac: string;
}

export interface ServerSpec {
  id: number;
  name: string;
  type: MachineType;
  /** Where it stands, as `fsn1`. */
  location?: string;
  /** Name of the image (`debian-12`), or `snapshot-<id>` for one that was made of a server. */
  image: string;
  /** For cloud-init, as it was given. */
  userData: string;
  /** Public keys, in the form of authorized_keys. */
  sshKeys: string[];
  /** Address, without a prefix length. */
  publicIpv4?: string;
  /** Network, as `2001:db8:1::/64`; the machine has its first address. */
  publicIpv6?: string;
  private: PrivateNet[];
  /** Whether it is switched on once it is made. */
  start: boolean;
}

export interface FirewallRule {
  direction: "in" | "out";
  protocol: "tcp" | "udp" | "icmp" | "esp" | "gre";
  /** `80` or `1024-5000`; only with tcp and udp. */
  port?: string;
  /** CIDRs; of rules with direction `in`. */
  sourceIps: string[];
  /** CIDRs; of rules with direction `out`. */
  destinationIps: string[];
}

export interface VolumeSpec {
  id: number;
  name: string;
  /** Gigabytes. */
  size: number;
  /** Filesystem to make on it; none when unset. */
  format?: "ext4" | "xfs";
}

export interface LoadBalancerHealthCheck {
  protocol: "tcp" | "http";
  port: number;
  /** Seconds. */
  interval: number;
  /** Seconds. */
  timeout: number;
  /** Failures in a row until a target is unhealthy. */
  retries: number;
  http?: { domain: string; path: string; response: string; statusCodes: string[]; tls: boolean };
}

export interface LoadBalancerServiceSpec {
  protocol: "tcp" | "http" | "https";
  listenPort: number;
  destinationPort: number;
  /** Whether targets get the PROXY protocol's header (version 2). */
  proxyprotocol: boolean;
  healthCheck: LoadBalancerHealthCheck;
}

export interface LoadBalancerSpec {
  id: number;
  name: string;
  /** Unset while the public interface is off. */
  publicIpv4?: string;
  publicIpv6?: string;
  privateIps: { networkId: number; ip: string }[];
  algorithm: "round_robin" | "least_connections";
  services: LoadBalancerServiceSpec[];
  /** Every target that a selector or a server gives, as the address that is dialled. */
  targets: { address: string; serverId?: number }[];
}

/** Health of one service at one target. */
export interface TargetHealth {
  address: string;
  listenPort: number;
  status: "healthy" | "unhealthy" | "unknown";
}

export interface Backend {
  /** Called again with other subnets when they change. */
  createNetwork(network: NetworkSpec): Promise<void>;
  deleteNetwork(id: number): Promise<void>;
  setRoutes(networkId: number, routes: NetworkRoute[]): Promise<void>;

  /** Returns when the machine runs, or is made when it is not to be started. */
  createServer(server: ServerSpec): Promise<void>;
  deleteServer(id: number): Promise<void>;
  powerOn(id: number): Promise<void>;
  /** A power cut. */
  powerOff(id: number): Promise<void>;
  /** Asks the machine to shut down; without it a power cut. Returns when it is off. */
  shutdown?(id: number): Promise<void>;
  reboot(id: number): Promise<void>;
  /** A new disk with the image; addresses stay. */
  rebuild(id: number, server: ServerSpec): Promise<void>;
  /** All private networks of the server, those that stay included. */
  setPrivate(serverId: number, nets: PrivateNet[]): Promise<void>;
  /** Addresses for the next start of a server that is off. Without it they can't be changed. */
  setPublic?(serverId: number, addresses: { ipv4?: string; ipv6?: string }): Promise<void>;
  /** Another type for a server that is off. */
  changeType?(serverId: number, type: MachineType): Promise<void>;
  /**
   * What the firewalls of a server let through on its public interfaces. Null: it has no firewall, everything passes. With one, what
   * comes in and is in no rule is dropped; what goes out passes while there is no rule with direction `out`.
   */
  setFirewall(serverId: number, rules: FirewallRule[] | null): Promise<void>;
  /** Whether the machine runs now, for one that went off by itself; without it the emulator's word counts. */
  isRunning?(serverId: number): Promise<boolean>;

  createVolume(volume: VolumeSpec): Promise<void>;
  /** `linuxDevice`: path in the machine, `/dev/disk/by-id/scsi-0HC_Volume_<id>` at Hetzner. */
  attachVolume(volume: VolumeSpec, serverId: number): Promise<{ linuxDevice: string }>;
  detachVolume(id: number): Promise<void>;
  resizeVolume(id: number, gigabytes: number): Promise<void>;
  deleteVolume(id: number): Promise<void>;

  setLoadBalancer(balancer: LoadBalancerSpec): Promise<void>;
  deleteLoadBalancer(id: number): Promise<void>;
  healthOf(balancerId: number): Promise<TargetHealth[]>;

  /** A snapshot of a server's disk; without it snapshots hold no data. */
  createImage?(serverId: number, imageId: number): Promise<{ sizeGb: number }>;
  deleteImage?(imageId: number): Promise<void>;

  /**
   * Addresses that the emulator may give out, so that they can be reached where the backend puts machines. Unset: documentation
   * ranges. `ipv4` is a CIDR of which each address is used once; `ipv6` one from which networks of 64 bits are taken.
   */
  readonly publicRange?: { ipv4: string; ipv6: string };

  /** Ends what runs in this process; machines live on. */
  stop(): Promise<void>;
}
