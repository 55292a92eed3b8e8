/** A fault that a test orders. Those with `times` are used up by what they hit; the others hold until they are ordered otherwise. */
export type Fault =
  /** The next requests of a method and path (`*` stands for one segment) fail with a status, by default 503. */
  | { kind: "request"; method?: string; path: string; status?: number; code?: string; times?: number }
  /** The next requests are not answered; the connection is closed after `seconds`, by default 60. */
  | { kind: "timeout"; method?: string; path: string; seconds?: number; times?: number }
  /** The next requests are carried out, and the connection breaks before the answer. */
  | { kind: "lostAnswer"; method?: string; path: string; times?: number }
  /** The next actions with this command fail. */
  | { kind: "action"; command: string; code?: string; message?: string; times?: number }
  /** Servers with this name stay `starting` until they are deleted. */
  | { kind: "neverBoots"; server: string; off?: boolean }
  /** Nothing of this type, or of any, is to be had in a location, or in any. */
  | { kind: "soldOut"; type?: string; location?: string; off?: boolean }
  /** How many of a kind there may be. */
  | { kind: "quota"; of: string; limit: number }
  /** How many computers a location has for servers of one placement group. */
  | { kind: "hosts"; count: number }
  /** Requests that are left; they come back as the limit says. */
  | { kind: "rateLimit"; left: number };

export type Faults = readonly Fault[];

type Counted = Extract<Fault, { times?: number }>;
type CountedOf<K extends Counted["kind"]> = Extract<Counted, { kind: K }>;

/** How many of each kind there may be unless a test says otherwise; Hetzner's own limits depend on the customer. */
const quotas: Record<string, number> = {
  servers: 25,
  load_balancers: 10,
  networks: 25,
  firewalls: 50,
  volumes: 100,
  primary_ips: 100,
  floating_ips: 25,
  placement_groups: 50,
  ssh_keys: 100,
  certificates: 50,
  images: 100,
};

/** The faults that are in force. */
export class FaultBox {
  private readonly counted: { fault: Counted; left: number }[] = [];
  private readonly sleeping = new Set<string>();
  private readonly soldOut: { type?: string; location?: string }[] = [];
  private readonly quotas = { ...quotas };
  hosts = 100;

  order(fault: Exclude<Fault, { kind: "rateLimit" }>): void {
    switch (fault.kind) {
      case "neverBoots":
        if (fault.off) this.sleeping.delete(fault.server);
        else this.sleeping.add(fault.server);
        return;
      case "soldOut": {
        const same = this.soldOut.findIndex((s) => s.type === fault.type && s.location === fault.location);
        if (same >= 0) this.soldOut.splice(same, 1);
        if (!fault.off) this.soldOut.push({ type: fault.type, location: fault.location });
        return;
      }
      case "quota":
        this.quotas[fault.of] = fault.limit;
        return;
      case "hosts":
        this.hosts = fault.count;
        return;
      default:
        this.counted.push({ fault, left: fault.times ?? 1 });
    }
  }

  /** Uses up and gives a fault that hits a request. */
  takeRequest<K extends "request" | "timeout" | "lostAnswer">(
    kind: K,
    method: string,
    path: string,
  ): CountedOf<K> | undefined {
    return this.take(
      kind,
      (f) => (f.method === undefined || f.method === method) && pathMatches((f as { path: string }).path, path),
    );
  }

  /** Uses up and gives the fault that hits an action. */
  takeAction(command: string): CountedOf<"action"> | undefined {
    return this.take("action", (f) => (f as CountedOf<"action">).command === command);
  }

  private take<K extends Counted["kind"]>(
    kind: K,
    hits: (fault: Counted & { method?: string }) => boolean,
  ): CountedOf<K> | undefined {
    const found = this.counted.find((c) => c.left > 0 && c.fault.kind === kind && hits(c.fault));
    if (!found) return undefined;
    found.left--;
    return found.fault as CountedOf<K>;
  }

  sleeps(server: string): boolean {
    return this.sleeping.has(server);
  }

  isSoldOut(type: string, location: string): boolean {
    return this.soldOut.some((s) => (s.type ?? type) === type && (s.location ?? location) === location);
  }

  limitOf(kind: string): number {
    return this.quotas[kind] ?? Number.MAX_SAFE_INTEGER;
  }
}

/** Whether a path such as `/servers/17` is meant by a pattern such as `/servers/*`. */
export function pathMatches(pattern: string, path: string): boolean {
  const [want, have] = [pattern.split("/"), path.split("/")];
  return want.length === have.length && want.every((w, i) => w === "*" || w === have[i]);
}
