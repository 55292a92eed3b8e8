import { createHash } from "node:crypto";
import { architectureOf, type Architecture, type Location, zones } from "./places";
import { addressAt, agentOffset, layoutOf } from "./addresses";
import type { HcloudSettings } from "./settings";

/** A machine as it will be ordered. */
export interface PlannedServer {
  /** Name at Hetzner, host name and node name in one: the cloud's controllers find a node's server by it. */
  name: string;
  role: "server" | "agent" | "gateway";
  type: string;
  architecture: Architecture;
  image: string;
  location: Location;
  /** Private address, told by the settings alone: it is known in a preview, and a machine made anew has it again. */
  address: string;
  /** Whether it has public addresses. */
  public: boolean;
  backups: boolean;
  /** Labels at Hetzner. */
  labels: Record<string, string>;
  /** Labels of the node in the cluster. */
  nodeLabels: Record<string, string>;
  /** Name of its placement group. */
  group?: string;
  /** GB of its volume. */
  volume?: number;
}

export interface PlannedBalancer {
  name: string;
  type: string;
  location: Location;
  /** Private address. */
  address: string;
  public: boolean;
  /** TCP ports, the same on both sides. */
  ports: number[];
  proxyProtocol: boolean;
  /** Labels of the machines that it leads to. */
  selector: string;
  labels: Record<string, string>;
}

/** Everything that is ordered, before anything is. */
export interface CloudPlan {
  /** The stack's name as far as it can stand in a name at Hetzner. */
  prefix: string;
  labels: Record<string, string>;
  zone: string;
  network: { name: string; cidr: string; subnet: string; gateway: string };
  /** Names of the placement groups. */
  groups: string[];
  /** The way out and the way in of machines without public addresses. */
  gateway?: PlannedServer;
  /** Machines of the cluster, servers first. */
  nodes: PlannedServer[];
  api: PlannedBalancer;
  ingress: PlannedBalancer;
}

/** What ends a prefix that is not the stack's own name. */
const digestEnd = /-[0-9a-f]{8}$/;

/**
 * A stack's name as names and labels at Hetzner can hold it: `prod` as it is, others cut down, with 32 bits of their digest behind.
 * No two stacks of a project may share it, for `orphans --delete` and `destroy` go by it. So a name that looks like a cut one
 * gets a digest as well: `Prod.EU` and `prod-eu`, or two long names that begin alike, never take each other's machines for theirs.
 */
export function prefixOf(stack: string): string {
  const text = stack
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^[^a-z]+|-+$/g, "");
  if (text === stack && text.length <= 24 && !digestEnd.test(text)) return text;
  const digest = createHash("sha256").update(stack).digest("hex").slice(0, 8);
  return `${text.slice(0, 15).replace(/-+$/, "") || "stack"}-${digest}`;
}

/** Labels of everything that a stack makes; `groundwork-role` says what each is. */
export const labelsOf = (prefix: string, role: string): Record<string, string> => ({
  "managed-by": "groundwork",
  "groundwork-stack": prefix,
  "groundwork-role": role,
});

/** What the settings order, by name, place and address. Pure: the same settings give the same plan. */
export function planCloud(settings: HcloudSettings, stack: string): CloudPlan {
  const prefix = prefixOf(stack);
  const { cidr, subnet = cidr } = settings.network;
  const layout = layoutOf(subnet);
  const location = settings.location;

  const machine = (
    name: string,
    role: PlannedServer["role"],
    of: { type: string; image?: string; volume?: number; backups?: boolean; labels?: Record<string, string> },
    at: { location: Location; offset: number; public: boolean; pool?: string; group?: string },
  ): PlannedServer => ({
    name,
    role,
    type: of.type,
    architecture: architectureOf(of.type),
    image: of.image ?? settings.image,
    location: at.location,
    address: addressAt(subnet, at.offset),
    public: at.public,
    backups: of.backups ?? false,
    labels: {
      ...labelsOf(prefix, role),
      ...(at.pool === undefined ? {} : { "groundwork-pool": at.pool }),
      ...(role === "gateway" ? {} : { "groundwork-ingress": "true" }),
    },
    nodeLabels: of.labels ?? {},
    ...(at.group === undefined ? {} : { group: at.group }),
    ...(of.volume === undefined ? {} : { volume: of.volume }),
  });

  const isPublic = !settings.privateNodes;
  const serverGroup = `${prefix}-server`;
  const servers = Array.from({ length: settings.servers.count }, (_, index) => {
    const places = settings.servers.locations ?? [location];
    return machine(`${prefix}-server-${index + 1}`, "server", settings.servers, {
      ...{ location: places[index % places.length]!, offset: layout.server + index, public: isPublic },
      group: serverGroup,
    });
  });
  const agents = settings.agents.flatMap((pool) =>
    Array.from({ length: pool.count }, (_, index) => {
      const name = `${prefix}-${pool.name}-${index + 1}`;
      return machine(name, "agent", pool, {
        // The stack's name is left out, so that the settings alone can tell of two machines with one address.
        ...{ location: pool.location ?? location, offset: agentOffset(subnet, `${pool.name}-${index + 1}`) },
        ...{ public: isPublic, pool: pool.name },
        ...(pool.spread ? { group: `${prefix}-${pool.name}` } : {}),
      });
    }),
  );
  const gateway =
    settings.privateNodes && settings.gateway
      ? machine(`${prefix}-gateway`, "gateway", settings.gateway, { location, offset: layout.gateway, public: true })
      : undefined;

  const nodes = [...servers, ...agents];
  const select = (label: string) => `groundwork-stack=${prefix},${label}`;
  return {
    prefix,
    labels: labelsOf(prefix, "network"),
    zone: zones[location],
    network: { name: prefix, cidr, subnet, gateway: addressAt(cidr, 1) },
    groups: [...new Set(nodes.flatMap(({ group }) => group ?? []))],
    ...(gateway === undefined ? {} : { gateway }),
    nodes,
    api: {
      name: `${prefix}-api`,
      type: settings.api.type,
      location,
      address: addressAt(subnet, layout.api),
      public: settings.api.exposure === "public",
      ports: [6443],
      proxyProtocol: false,
      selector: select("groundwork-role=server"),
      labels: labelsOf(prefix, "api"),
    },
    ingress: {
      name: `${prefix}-ingress`,
      type: settings.ingress.type,
      location,
      address: addressAt(subnet, layout.ingress),
      public: true,
      ports: [80, 443],
      proxyProtocol: true,
      selector: select("groundwork-ingress=true"),
      labels: labelsOf(prefix, "ingress"),
    },
  };
}
