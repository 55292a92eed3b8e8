import * as fs from "node:fs";
import * as path from "node:path";
import { z } from "zod";
import type { CostSettings } from "./settings";

const root = path.resolve(__dirname, "..", "..");

/** The price table that comes with the project. */
export const ownTable = path.join(__dirname, "prices.json");

const priceMap = z.record(z.string(), z.number().nonnegative());

const tableSchema = z.object({
  provider: z.string(),
  date: z.string().regex(/^\d{4}-\d{2}-\d{2}$/, { error: "must be a date such as 2026-09-28" }),
  sources: z.array(z.string()).min(1),
  note: z.string(),
  traffic: z.string(),
  backupShare: z.number().min(0).max(1),
  hoursOfCap: z.number().positive(),
  locations: z.record(z.string(), z.string()),
  zones: z.record(z.string(), z.string()),
  monthly: z.record(z.string(), z.record(z.string(), priceMap)),
});

/** Which prices hold for a stack. */
export interface Prices {
  currency: string;
  /** Day on which the table was read, YYYY-MM-DD. */
  date: string;
  provider: string;
  sources: readonly string[];
  note: string;
  traffic: string;
  /** What backups add to a server's price, as a share of it. */
  backupShare: number;
  /** Whether the stack's settings change the table. */
  changed: boolean;
  /** Monthly price, net, of a type or unit at a place; undefined where the table has none. */
  monthly(name: string, place?: Place): number | undefined;
  /** By the hour, for what is billed by the hour. */
  hourly(monthly: number): number;
}

/** Where something is: a location such as `fsn1`, a data center such as `fsn1-dc14`, or a network zone such as `eu-central`. */
export type Place = { location: string } | { zone: string };

/**
 * The prices by which a stack is reckoned up: the project's table, or the stack's own file in its place, and before both the
 * prices that stand in the stack's settings.
 *
 * @throws where the stack's file can't be read or is no price table, with the file's name and what is wrong
 */
export function pricesOf(settings: CostSettings): Prices {
  const file = settings.priceFile === undefined ? ownTable : path.resolve(root, settings.priceFile);
  const table = readTable(file);
  const list = table.monthly[settings.currency];
  if (!list) {
    throw new Error(`${file} has no prices in ${settings.currency}: it has ${Object.keys(table.monthly).join(", ")}`);
  }
  const groupOf = (place: Place | undefined): string | undefined =>
    place === undefined
      ? undefined
      : "zone" in place
        ? table.zones[place.zone]
        : table.locations[place.location.split("-")[0]!];
  return {
    currency: settings.currency,
    date: table.date,
    provider: table.provider,
    sources: table.sources,
    note: table.note,
    traffic: table.traffic,
    backupShare: table.backupShare,
    changed: settings.priceFile !== undefined || Object.keys(settings.prices).length > 0,
    monthly: (name, place) => settings.prices[name] ?? list["any"]?.[name] ?? list[groupOf(place) ?? "nowhere"]?.[name],
    hourly: (monthly) => Math.round((monthly / table.hoursOfCap) * 10_000) / 10_000,
  };
}

function readTable(file: string): z.infer<typeof tableSchema> {
  let given: unknown;
  try {
    given = JSON.parse(fs.readFileSync(file, "utf8"));
  } catch (error) {
    throw new Error(`the price table ${file} cannot be read: ${(error as Error).message}`);
  }
  const parsed = tableSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new Error(`${file} is no price table: ${wrong.slice(0, 3).join("; ")}`);
}
