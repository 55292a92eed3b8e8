import type { Resource } from "../../stacks/cost";
import { type CloudApi, CloudApiError, type CloudObject } from "./api";

/** An object of the API as far as anybody here looks into it. */
export interface AnyObject extends CloudObject {
  server_type?: { name: string };
  load_balancer_type?: { name: string };
  location?: { name: string } | null;
  datacenter?: { name: string; location?: { name: string } } | null;
  home_location?: { name: string };
  backup_window?: string | null;
  public_net?: { ipv4?: { id?: number } | null };
  private_net?: { network: number }[];
  size?: number;
  image_size?: number | null;
  type?: string;
  server?: number | null;
  assignee_id?: number | null;
  description?: string;
  applied_to?: { type: string; server?: { id: number }; label_selector?: { selector: string } }[];
}

/** A kind of objects of the API. */
export interface Kind {
  /** As people say it. */
  name: string;
  path: string;
  /** Key of the list in answers. */
  key: string;
  /** The type that the graph's resources of it have. */
  type: string;
  query?: Record<string, string>;
  /** Whether the API can lock it against deletion. */
  lockable?: boolean;
}

/** All kinds that carry labels, in the order in which they can be deleted. */
export const kinds: readonly Kind[] = [
  {
    name: "load balancer",
    path: "/load_balancers",
    key: "load_balancers",
    type: "loadBalancer:LoadBalancer",
    lockable: true,
  },
  { name: "server", path: "/servers", key: "servers", type: "server:Server", lockable: true },
  { name: "volume", path: "/volumes", key: "volumes", type: "volume:Volume", lockable: true },
  { name: "floating IP", path: "/floating_ips", key: "floating_ips", type: "floatingIp:FloatingIp", lockable: true },
  { name: "primary IP", path: "/primary_ips", key: "primary_ips", type: "primaryIp:PrimaryIp", lockable: true },
  {
    name: "snapshot",
    path: "/images",
    key: "images",
    type: "snapshot:Snapshot",
    query: { type: "snapshot" },
    lockable: true,
  },
  { name: "firewall", path: "/firewalls", key: "firewalls", type: "firewall:Firewall" },
  { name: "network", path: "/networks", key: "networks", type: "network:Network", lockable: true },
  {
    name: "placement group",
    path: "/placement_groups",
    key: "placement_groups",
    type: "placementGroup:PlacementGroup",
  },
  { name: "certificate", path: "/certificates", key: "certificates", type: "uploadedCertificate:UploadedCertificate" },
  { name: "SSH key", path: "/ssh_keys", key: "ssh_keys", type: "sshKey:SshKey" },
].map((kind) => ({ ...kind, type: `hcloud:index/${kind.type}` }));

/** The kind by its name. */
export const kindNamed = (name: string): Kind => kinds.find((kind) => kind.name === name)!;

const locationOf = (object: AnyObject): string | undefined =>
  object.location?.name ?? object.datacenter?.location?.name ?? object.datacenter?.name ?? object.home_location?.name;

/** An object as the resource of the graph that would have made it, for its price. */
export function resourceOf(kind: Kind, object: AnyObject, ownAddress: boolean): Resource {
  return {
    type: kind.type,
    name: object.name,
    inputs: {
      serverType: object.server_type?.name,
      loadBalancerType: object.load_balancer_type?.name,
      location: locationOf(object),
      size: object.size,
      imageSize: object.image_size ?? undefined,
      type: object.type,
      backups: typeof object.backup_window === "string",
      publicNets: [{ ipv4Enabled: ownAddress }],
    },
  };
}

/** The object as it is now: what was deleted before it may have let it go. Undefined where it is gone. */
export async function current(api: CloudApi, path: string): Promise<AnyObject | undefined> {
  try {
    const [object] = Object.values(await api.get<Record<string, AnyObject>>(path));
    return object;
  } catch (error) {
    if (error instanceof CloudApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** Takes the API's lock against deletion off an object; false where it has none. */
export async function liftLock(api: CloudApi, kind: Kind, { id, protection }: AnyObject): Promise<boolean> {
  if (!kind.lockable || (!protection?.delete && !protection?.rebuild)) return false;
  const rebuild = kind.name === "server" ? { rebuild: false } : {};
  await api.change("POST", `${kind.path}/${id}/actions/change_protection`, { delete: false, ...rebuild });
  return true;
}

/** Deletes one object, whatever holds it: the lock of the API, a server that it is attached to. Gone already is as good. */
export async function deleteObject(api: CloudApi, kind: Kind, { id }: { id: number }): Promise<void> {
  const at = `${kind.path}/${id}`;
  const object = await current(api, at);
  if (!object) return;
  await liftLock(api, kind, object);
  if (kind.name === "volume" && object.server) await api.change("POST", `${at}/actions/detach`);
  if (kind.name === "firewall" && object.applied_to?.length) {
    const remove_from = object.applied_to.map(({ type, server, label_selector }) => ({ type, server, label_selector }));
    await api.change("POST", `${at}/actions/remove_from_resources`, { remove_from });
  }
  await api.remove(at);
}
