import * as fs from "node:fs";
import * as path from "node:path";
import { type Location, balancerTypes, locations, serverTypes } from "./catalogue";

/** The project's table of prices: by currency, then by group of locations. */
interface Table {
  date: string;
  hoursOfCap: number;
  locations: Record<string, string>;
  monthly: Record<string, Record<string, Record<string, number>>>;
}

const table = JSON.parse(
  fs.readFileSync(path.join(__dirname, "..", "..", "stacks", "cost", "prices.json"), "utf8"),
) as Table;

/** Prices of November 2026 in the table's stead for what it does not have: near what Hetzner asks, and no more than that. */
const guesses: Record<string, number> = { lb11: 7.49, lb21: 19.9, lb31: 39.9 };
const currency = "EUR";
const vat = 0.19;

/** Euros a month without VAT; undefined where a location does not have it. */
export function monthly(item: string, location: Location): number | undefined {
  const prices = table.monthly[currency]!;
  return prices[table.locations[location.name]!]?.[item] ?? prices["any"]?.[item] ?? guesses[item];
}

interface Price {
  net: string;
  gross: string;
}

const price = (net: number): Price => ({ net: net.toFixed(10), gross: (net * (1 + vat)).toFixed(16) });

function pricesOf(item: string): object[] {
  return locations.flatMap((location) => {
    const month = monthly(item, location);
    if (month === undefined) return [];
    return [
      {
        location: location.name,
        price_hourly: price(month / table.hoursOfCap),
        price_monthly: price(month),
        included_traffic: location.network_zone === "eu-central" ? 21_990_232_555_520 : 1_099_511_627_776,
        price_per_tb_traffic: price(location.name === "sin" ? 7.4 : 1),
      },
    ];
  });
}

/** Where a server type is to be had. */
export const locationsOf = (type: string): Location[] => locations.filter((l) => monthly(type, l) !== undefined);

export const serverTypePrices = pricesOf;
export const balancerTypePrices = pricesOf;

const byLocation = (item: string) =>
  locations.map((l) => ({ location: l.name, price_monthly: price(monthly(item, l) ?? 0) }));

/** Answer of `GET /pricing`. */
export function pricing(): object {
  const flat = (item: string) => price(monthly(item, locations[0]!) ?? 0);
  const primary = (item: string) => ({
    type: item.slice("primary-".length),
    prices: locations.map((l) => ({
      location: l.name,
      datacenter: "",
      price_hourly: price((monthly(item, l) ?? 0) / table.hoursOfCap),
      price_monthly: price(monthly(item, l) ?? 0),
    })),
  });
  return {
    currency,
    vat_rate: (vat * 100).toFixed(6),
    image: { price_per_gb_month: flat("snapshot-gb") },
    floating_ip: { price_monthly: flat("floating-ipv4") },
    floating_ips: ["ipv4", "ipv6"].map((type) => ({ type, prices: byLocation(`floating-${type}`) })),
    primary_ips: [primary("primary-ipv4"), primary("primary-ipv6")],
    traffic: { price_per_tb: price(0) },
    server_backup: { percentage: "20.0000000000" },
    server_types: serverTypes.map(({ id, name }) => ({ id, name, prices: pricesOf(name) })),
    load_balancer_types: balancerTypes.map(({ id, name }) => ({ id, name, prices: pricesOf(name) })),
    volume: { price_per_gb_month: flat("volume-gb") },
  };
}
