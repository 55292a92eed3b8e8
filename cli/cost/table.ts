import type { Bill, Line } from "../../stacks/cost";
import { table } from "../ui";

/** An amount as people read it; with its sign where it is a difference. */
export function money(currency: string, amount: number, signed = false): string {
  const sign = amount < 0 ? "-" : signed ? "+" : "";
  return `${sign}${currency} ${Math.abs(amount).toFixed(2)}`;
}

function changeOf({ change, before, monthly }: Line, currency: string): string {
  if (change === "same") return "";
  if (!before || before.monthly === undefined || monthly === undefined) return change;
  const difference = monthly - before.monthly;
  return `${change} from ${before.what} (${money(currency, difference, true)})`;
}

/** What a plan costs, item by item, with the sum and what changes; empty where nothing is paid for. */
export function costTable(bill: Bill): string {
  if (bill.lines.length === 0) return "";
  const { currency } = bill;
  const rows = bill.lines.map((line) => [
    line.resource,
    line.what,
    line.change === "deleted" ? "-" : line.monthly === undefined ? "no price" : money(currency, line.monthly),
    line.hourly === undefined || line.change === "deleted" ? "" : line.hourly.toFixed(4),
    line.change === "deleted" && line.monthly !== undefined
      ? `deleted (${money(currency, -line.monthly)})`
      : changeOf(line, currency),
  ]);
  const rest = bill.unpriced > 0 ? `, ${bill.unpriced} without a price` : "";
  const total = ["", `sum a month, net${rest}`, money(currency, bill.monthly), "", difference(bill)];
  const reasons = [...new Set(bill.lines.flatMap(({ why }) => (why === undefined ? [] : [why])))];
  return [
    table(["resource", "what", "a month", "an hour", "change"], [...rows, total]),
    ...reasons.map((why) => `no price: ${why}`),
    `Prices of ${bill.date}${bill.ownPrices ? " with the stack's own" : ""}, without VAT. ${bill.traffic}`,
  ].join("\n");
}

/** `+EUR 35.49: EUR 120.00 now`, or that nothing changes. */
export function difference({ added, before, currency }: Bill): string {
  return added === 0 ? "no change" : `${money(currency, added, true)} (now ${money(currency, before)})`;
}
