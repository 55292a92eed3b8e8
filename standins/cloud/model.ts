/** What the emulator keeps of each object: the API's fields by their names where they are plain, ids where the API shows objects. */
import type { FirewallRule, LoadBalancerHealthCheck, NetworkRoute, NetworkSpec, PrivateNet } from "./backend";
import type { Labels } from "./selector";

/** What every object has. */
export interface Base {
  id: number;
  name: string;
  /** ISO time. */
  created: string;
  labels: Labels;
}

export interface SshKey extends Base {
  public_key: string;
  fingerprint: string;
}

export interface Network extends Base {
  ip_range: string;
  subnets: {
    type: NetworkSpec["subnets"][number]["type"];
    ip_range: string;
    network_zone: string;
    vswitch_id?: number;
  }[];
  routes: NetworkRoute[];
  protection: { delete: boolean };
  expose_routes_to_vswitch: boolean;
}

export type ServerStatus = "initializing" | "starting" | "running" | "stopping" | "off" | "deleting" | "rebuilding";

export interface Server extends Base {
  status: ServerStatus;
  server_type: string;
  location: string;
  /** Null once the snapshot that it was made of is gone. */
  image: number | null;
  user_data: string;
  ssh_keys: string[];
  /** Ids of primary IPs. */
  ipv4: number | null;
  ipv6: number | null;
  private_net: PrivateNet[];
  placement_group: number | null;
  backup_window: string | null;
  rescue_enabled: boolean;
  protection: { delete: boolean; rebuild: boolean };
  primary_disk_size: number;
  /** Number of the computer in the location on which it stands; the API does not show it. */
  host: number;
  /** Whether the backend has made it. */
  made: boolean;
}

export interface PlacementGroup extends Base {
  type: "spread";
}

export interface FirewallTarget {
  type: "server" | "label_selector";
  server?: { id: number };
  label_selector?: { selector: string };
}

export interface Firewall extends Base {
  rules: (FirewallRule & { description: string | null })[];
  applied_to: FirewallTarget[];
}

export interface BalancerService {
  protocol: "tcp" | "http" | "https";
  listen_port: number;
  destination_port: number;
  proxyprotocol: boolean;
  http?: {
    cookie_name: string;
    cookie_lifetime: number;
    certificates: number[];
    redirect_http: boolean;
    sticky_sessions: boolean;
    timeout_idle: number;
  };
  health_check: Omit<LoadBalancerHealthCheck, "http"> & {
    http?: { domain: string; path: string; response: string; status_codes: string[]; tls: boolean };
  };
}

export interface BalancerTarget {
  type: "server" | "label_selector" | "ip";
  server?: { id: number };
  label_selector?: { selector: string };
  ip?: { ip: string };
  use_private_ip: boolean;
}

export interface LoadBalancer extends Base {
  load_balancer_type: string;
  location: string;
  algorithm: "round_robin" | "least_connections";
  services: BalancerService[];
  targets: BalancerTarget[];
  public: boolean;
  ipv4: string;
  ipv6: string;
  dns_ptr: Record<string, string>;
  private_net: { network: number; ip: string }[];
  protection: { delete: boolean };
}

export interface Volume extends Base {
  size: number;
  location: string;
  server: number | null;
  status: "creating" | "available";
  format: "ext4" | "xfs" | null;
  linux_device: string;
  protection: { delete: boolean };
}

export interface PrimaryIp extends Base {
  type: "ipv4" | "ipv6";
  ip: string;
  location: string;
  assignee_type: "server";
  assignee_id: number | null;
  auto_delete: boolean;
  protection: { delete: boolean };
  dns_ptr: { ip: string; dns_ptr: string }[];
}

export interface FloatingIp extends Base {
  type: "ipv4" | "ipv6";
  ip: string;
  description: string | null;
  server: number | null;
  home_location: string;
  protection: { delete: boolean };
  dns_ptr: { ip: string; dns_ptr: string }[];
}

export interface Image extends Base {
  type: "snapshot" | "backup";
  status: "creating" | "available";
  description: string;
  image_size: number | null;
  disk_size: number;
  created_from: { id: number; name: string };
  bound_to: number | null;
  os_flavor: string;
  os_version: string | null;
  architecture: "x86" | "arm";
  protection: { delete: boolean };
}

export interface Certificate extends Base {
  type: "uploaded" | "managed";
  certificate: string;
  domain_names: string[];
  fingerprint: string;
  not_valid_before: string;
  not_valid_after: string;
}

/** The kinds of objects by the paths that the API gives them. */
export interface Kinds {
  ssh_keys: SshKey;
  networks: Network;
  servers: Server;
  placement_groups: PlacementGroup;
  firewalls: Firewall;
  load_balancers: LoadBalancer;
  volumes: Volume;
  primary_ips: PrimaryIp;
  floating_ips: FloatingIp;
  images: Image;
  certificates: Certificate;
}
export type Kind = keyof Kinds;

/** What each kind is called where the API shows one of it. */
export const singular: Record<Kind, string> = {
  ssh_keys: "ssh_key",
  networks: "network",
  servers: "server",
  placement_groups: "placement_group",
  firewalls: "firewall",
  load_balancers: "load_balancer",
  volumes: "volume",
  primary_ips: "primary_ip",
  floating_ips: "floating_ip",
  images: "image",
  certificates: "certificate",
};
export const kinds = Object.keys(singular) as Kind[];

export interface Action {
  id: number;
  command: string;
  status: "running" | "success" | "error";
  started: string;
  finished: string | null;
  error: { code: string; message: string } | null;
  resources: { type: string; id: number }[];
  /** What does it, by the name under which it is registered: so that it can go on after the emulator was killed. */
  job: { name: string; args: Record<string, unknown> };
  /** An action that must have succeeded before. */
  after?: number;
  /** Milliseconds that it takes besides what the backend does. */
  latency: number;
}
