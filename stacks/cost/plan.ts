import { Item, itemsOf, Resource, round } from "./items";
import type { Prices } from "./price-list";

/** What becomes of a thing that is paid for. */
export type Change = "created" | "deleted" | "replaced" | "changed" | "same";

/** One line of a bill: what stays or comes, or what goes. */
export interface Line extends Item {
  change: Change;
  /** What it costs now, where that is another price or thing. */
  before?: Item;
}

/** A plan's bill. */
export interface Bill {
  currency: string;
  /** Date of the price table. */
  date: string;
  /** Whether the stack's own prices took part. */
  ownPrices: boolean;
  lines: Line[];
  /** Sum a month of what has a price, after the plan. */
  monthly: number;
  /** The same now. */
  before: number;
  /** What the plan adds; negative where it saves. */
  added: number;
  /** How many things after the plan have no price. */
  unpriced: number;
  traffic: string;
}

/** A resource of a plan: as it is now, as it will be, or both. */
export interface Planned {
  before?: Resource;
  after?: Resource;
  /** Deleted and made anew. */
  replaced?: boolean;
}

/** Reckons up what a plan costs, line by line, and what it adds to what is there now. */
export function billOf(plan: readonly Planned[], prices: Prices): Bill {
  const lines = plan.flatMap((planned) => linesOf(planned, prices)).sort(byName);
  const staying = lines.filter(({ change }) => change !== "deleted");
  const monthly = sum(staying);
  const before = sum(lines.flatMap((line) => line.before ?? (line.change === "created" ? [] : [line])));
  return {
    currency: prices.currency,
    date: prices.date,
    ownPrices: prices.changed,
    lines,
    monthly,
    before,
    added: round(monthly - before),
    unpriced: staying.filter((line) => line.monthly === undefined).length,
    traffic: prices.traffic,
  };
}

/** The engine's order is that of its own work; a bill is read by name. What goes comes last. */
const byName = (a: Line, b: Line): number =>
  Number(a.change === "deleted") - Number(b.change === "deleted") || a.resource.localeCompare(b.resource);

/** Sum of what has a price. */
export const sum = (items: readonly Item[]): number =>
  round(items.reduce((total, { monthly = 0 }) => total + monthly, 0));

/** The items of one resource side by side: a server keeps its place though its type changes, and its address goes on its own. */
function linesOf({ before, after, replaced }: Planned, prices: Prices): Line[] {
  const old = before ? itemsOf(before, prices) : [];
  const young = after ? itemsOf(after, prices) : [];
  const gone = old.filter((item) => !young.some((other) => kindOf(other) === kindOf(item)));
  const lines = young.map((item): Line => {
    const was = old.find((other) => kindOf(other) === kindOf(item));
    if (!was) return { ...item, change: "created" };
    if (was.what !== item.what || was.monthly !== item.monthly) {
      return { ...item, change: replaced ? "replaced" : "changed", before: was };
    }
    return { ...item, change: replaced ? "replaced" : "same" };
  });
  return [...lines, ...gone.map((item): Line => ({ ...item, change: "deleted" }))];
}

/** `server`, `volume`, ...: the words that do not change with type, size and place. */
const kindOf = ({ what }: Item): string =>
  /^(server|load balancer|volume|snapshot|backups|public|primary|floating IPv\d)/.exec(what)?.[1] ?? what;
