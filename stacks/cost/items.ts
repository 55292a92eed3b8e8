import type { Place, Prices } from "./price-list";

/** A resource as an engine's plan, a captured graph or a policy shows it. Values that are not known are not strings. */
export interface Resource {
  urn?: string;
  /** Such as `hcloud:index/server:Server`. */
  type: string;
  /** Logical name. */
  name: string;
  inputs: Record<string, unknown>;
}

/** One thing that is paid for. */
export interface Item {
  /** Logical name of the resource that it comes with. */
  resource: string;
  /** What it is, such as `server cpx32 in fsn1`. */
  what: string;
  /** Monthly price, net, in the table's currency; undefined where it has none. */
  monthly?: number;
  /** The same by the hour; undefined for what is billed by the month. */
  hourly?: number;
  /** Why there is no price. */
  why?: string;
}

/** What Hetzner asks nothing for, by the last part of its type. */
const free = new Set(
  (
    "Network NetworkSubnet NetworkRoute ServerNetwork Firewall FirewallAttachment SshKey PlacementGroup Rdns " +
    "LoadBalancerNetwork LoadBalancerService LoadBalancerTarget VolumeAttachment FloatingIpAssignment " +
    "ManagedCertificate UploadedCertificate Certificate Zone ZoneRecord ZoneRrset"
  ).split(" "),
);

/** The value that stands for one that is known only after an update, in the engine's plans. */
const notKnownYet = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" && value !== notKnownYet ? value : undefined;
const number = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined;

/** What a resource costs: nothing, one thing or several. Of other providers than the cloud: nothing. */
export function itemsOf(resource: Resource, prices: Prices): Item[] {
  const kind = /^hcloud:index\/\w+:(\w+)$/.exec(resource.type)?.[1];
  if (kind === undefined || free.has(kind)) return [];
  return (pricers[kind] ?? unknownKind(kind))(resource.inputs, prices).map((item) => ({
    resource: resource.name,
    ...item,
  }));
}

type Priced = Omit<Item, "resource">;
type Pricer = (inputs: Record<string, unknown>, prices: Prices) => Priced[];

const unknownKind =
  (kind: string): Pricer =>
  () => [{ what: kind, why: "the price table does not know this kind of resource" }];

/** Where something stands, and how people read that. */
function placeOf(inputs: Record<string, unknown>): { place?: Place; where: string } {
  const location = text(inputs["location"]) ?? text(inputs["datacenter"]) ?? text(inputs["homeLocation"]);
  const zone = text(inputs["networkZone"]);
  if (location !== undefined) return { place: { location }, where: ` in ${location}` };
  return zone === undefined ? { where: "" } : { place: { zone }, where: ` in ${zone}` };
}

/** A thing with a price of its own. */
function priced(what: string, name: string, inputs: Record<string, unknown>, prices: Prices, byHour = true): Priced {
  const { place, where } = placeOf(inputs);
  const monthly = prices.monthly(name, place);
  if (monthly === undefined) {
    const why = `the table of ${prices.date} has no price in ${prices.currency} for ${name}${where}; groundwork:cost.prices can name it`;
    return { what: `${what}${where}`, why };
  }
  return { what: `${what}${where}`, monthly, ...(byHour && { hourly: prices.hourly(monthly) }) };
}

/** A server gets a public IPv4 address of its own unless told otherwise; one that is named here is a resource, too. */
function hasOwnIpv4(inputs: Record<string, unknown>): boolean {
  const nets = inputs["publicNets"];
  const net = (Array.isArray(nets) ? nets[0] : undefined) as Record<string, unknown> | undefined;
  return net?.["ipv4Enabled"] !== false && (net?.["ipv4"] === undefined || net["ipv4"] === null);
}

const pricers: Record<string, Pricer> = {
  Server: (inputs, prices) => {
    const type = text(inputs["serverType"]);
    if (type === undefined) return [{ what: "server", why: "its type is not known yet" }];
    const server = priced(`server ${type}`, type, inputs, prices);
    const items = [server];
    if (inputs["backups"] === true) {
      const share = `backups of it (${Math.round(prices.backupShare * 100)} %)`;
      const monthly = server.monthly === undefined ? undefined : round(server.monthly * prices.backupShare);
      items.push(
        monthly === undefined
          ? { what: share, why: server.why }
          : { what: share, monthly, hourly: prices.hourly(monthly) },
      );
    }
    if (hasOwnIpv4(inputs)) items.push(priced("public IPv4 address", "primary-ipv4", inputs, prices));
    return items;
  },
  LoadBalancer: (inputs, prices) => {
    const type = text(inputs["loadBalancerType"]);
    if (type === undefined) return [{ what: "load balancer", why: "its type is not known yet" }];
    return [priced(`load balancer ${type}`, type, inputs, prices)];
  },
  Volume: (inputs, prices) => {
    const size = number(inputs["size"]);
    if (size === undefined) return [{ what: "volume", why: "its size is not known yet" }];
    return [perGb(`volume of ${size} GB`, size, "volume-gb", inputs, prices)];
  },
  PrimaryIp: (inputs, prices) =>
    text(inputs["type"]) === "ipv6" ? [] : [priced("primary IPv4 address", "primary-ipv4", inputs, prices)],
  FloatingIp: (inputs, prices) => {
    const version = text(inputs["type"]) === "ipv6" ? "floating-ipv6" : "floating-ipv4";
    return [priced(version.replace("-ip", " IP"), version, inputs, prices, false)];
  },
  Snapshot: (inputs, prices) => {
    const size = number(inputs["imageSize"]);
    if (size !== undefined) return [perGb(`snapshot of ${size} GB`, size, "snapshot-gb", inputs, prices)];
    const rate = prices.monthly("snapshot-gb");
    return [
      {
        what: "snapshot",
        why: `its size is known once it is made${rate === undefined ? "" : ` (${prices.currency} ${rate} a GB)`}`,
      },
    ];
  },
};

function perGb(what: string, size: number, name: string, inputs: Record<string, unknown>, prices: Prices): Priced {
  const { why, monthly: rate } = priced(what, name, inputs, prices, false);
  const { where } = placeOf(inputs);
  return rate === undefined
    ? { what: `${what}${where}`, why }
    : { what: `${what}${where}`, monthly: round(rate * size) };
}

/** To the cent, as bills are. */
export const round = (amount: number): number => Math.round(amount * 100) / 100;
