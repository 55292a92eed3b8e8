/** Resources that the API has as parts of other objects: how one that was begun is recognised there, and how it is taken back. */

type Props = Record<string, unknown>;
type Body = Record<string, unknown>;

interface Target {
  type: string;
  server?: { id: number };
  ip?: { ip: string };
  label_selector?: { selector: string };
}

/** What is read of an owner, whichever kind it is. */
export interface Owner {
  subnets?: { ip_range: string }[];
  routes?: { destination: string; gateway: string }[];
  private_net?: { network: number }[];
  applied_to?: Target[];
  services?: { listen_port: number }[];
  targets?: Target[];
  server?: number | null;
}

/** A part of an object of the API. */
export interface Part {
  /** List that the owner is in, and its key in answers. */
  path: string;
  key: string;
  /** Id of the owner. */
  owner(inputs: Props): string;
  /** Tells parts of one owner apart. */
  name(inputs: Props): string;
  /** The action that removes the part, with its body; undefined where the owner does not have it. */
  undo(owner: Owner, inputs: Props): { action: string; body: Body } | undefined;
}

/** The network that an attachment names, itself or by a subnet (`<network>-<range>`). */
const networkOf = (inputs: Props): number => {
  const given = inputs["networkId"];
  const subnet = typeof inputs["subnetId"] === "string" ? inputs["subnetId"] : "";
  return Number(given ?? subnet.split("-")[0]);
};

const text = (value: unknown): string => (typeof value === "string" || typeof value === "number" ? String(value) : "");
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** Port of a service, which http and https need not name. */
const listenPort = (inputs: Props): number =>
  Number(inputs["listenPort"] ?? (inputs["protocol"] === "https" ? 443 : 80));

function targetOf(inputs: Props): Target & Body {
  const type = text(inputs["type"]);
  if (type === "server") return { type, server: { id: Number(inputs["serverId"]) } };
  if (type === "ip") return { type, ip: { ip: text(inputs["ip"]) } };
  return { type, label_selector: { selector: text(inputs["labelSelector"]) } };
}

const sameTarget = (a: Target, b: Target): boolean =>
  a.type === b.type &&
  a.server?.id === b.server?.id &&
  a.ip?.ip === b.ip?.ip &&
  a.label_selector?.selector === b.label_selector?.selector;

const network = { path: "/networks", key: "network", owner: (inputs: Props) => text(inputs["networkId"]) };
const balancer = {
  path: "/load_balancers",
  key: "load_balancer",
  owner: (inputs: Props) => text(inputs["loadBalancerId"]),
};

const byName: Record<string, Part> = {
  "networkSubnet:NetworkSubnet": {
    ...network,
    name: (inputs) => text(inputs["ipRange"]),
    undo: (owner, { ipRange }) =>
      owner.subnets?.some((s) => s.ip_range === ipRange)
        ? { action: "delete_subnet", body: { ip_range: ipRange } }
        : undefined,
  },
  "networkRoute:NetworkRoute": {
    ...network,
    name: (inputs) => text(inputs["destination"]),
    undo: (owner, { destination, gateway }) =>
      owner.routes?.some((r) => r.destination === destination && r.gateway === gateway)
        ? { action: "delete_route", body: { destination, gateway } }
        : undefined,
  },
  "serverNetwork:ServerNetwork": {
    path: "/servers",
    key: "server",
    owner: (inputs) => text(inputs["serverId"]),
    name: (inputs) => String(networkOf(inputs)),
    undo: (owner, inputs) =>
      owner.private_net?.some((n) => n.network === networkOf(inputs))
        ? { action: "detach_from_network", body: { network: networkOf(inputs) } }
        : undefined,
  },
  "volumeAttachment:VolumeAttachment": {
    path: "/volumes",
    key: "volume",
    owner: (inputs) => text(inputs["volumeId"]),
    name: () => "attachment",
    undo: (owner, inputs) => (owner.server === Number(inputs["serverId"]) ? { action: "detach", body: {} } : undefined),
  },
  "firewallAttachment:FirewallAttachment": {
    path: "/firewalls",
    key: "firewall",
    owner: (inputs) => text(inputs["firewallId"]),
    name: () => "attachment",
    undo: (owner, inputs) => {
      const servers = list(inputs["serverIds"]).map((id) => ({ type: "server", server: { id: Number(id) } }));
      const selectors = list(inputs["labelSelectors"]).map((selector) => ({
        type: "label_selector",
        label_selector: { selector: text(selector) },
      }));
      const there = [...servers, ...selectors].filter((t) => owner.applied_to?.some((o) => sameTarget(o, t)));
      return there.length > 0 ? { action: "remove_from_resources", body: { remove_from: there } } : undefined;
    },
  },
  "loadBalancerNetwork:LoadBalancerNetwork": {
    ...balancer,
    name: (inputs) => String(networkOf(inputs)),
    undo: (owner, inputs) =>
      owner.private_net?.some((n) => n.network === networkOf(inputs))
        ? { action: "detach_from_network", body: { network: networkOf(inputs) } }
        : undefined,
  },
  "loadBalancerService:LoadBalancerService": {
    ...balancer,
    name: (inputs) => String(listenPort(inputs)),
    undo: (owner, inputs) =>
      owner.services?.some((s) => s.listen_port === listenPort(inputs))
        ? { action: "delete_service", body: { listen_port: listenPort(inputs) } }
        : undefined,
  },
  "loadBalancerTarget:LoadBalancerTarget": {
    ...balancer,
    name: (inputs) => JSON.stringify(targetOf(inputs)),
    undo: (owner, inputs) =>
      owner.targets?.some((t) => sameTarget(t, targetOf(inputs)))
        ? { action: "remove_target", body: targetOf(inputs) }
        : undefined,
  },
};

/** The part that a type of the graph's resources is; undefined where it is an object of its own. */
export const partOf = (type: string): Part | undefined => byName[type.replace(/^hcloud:index\//, "")];
