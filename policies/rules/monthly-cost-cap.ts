import { Item, itemsOf, pricesOf, round, sum } from "../../stacks/cost";
import type { CostSettings } from "../../stacks/cost/settings";
import { Resource } from "../resource";
import { groundwork, stackRule } from "../rule";
import { isUnknown } from "../unknown";

/** The dearest things first: that is where money can be saved. */
const dearest = (items: readonly Item[]): string =>
  [...items]
    .sort((a, b) => (b.monthly ?? 0) - (a.monthly ?? 0))
    .slice(0, 3)
    .map(({ resource, what, monthly = 0 }) => `${resource} (${what}) ${monthly.toFixed(2)}`)
    .join(", ");

/** Whether a preview does not know yet what a resource will be, so that its price comes with the update. */
const isOpen = ({ props }: Resource): boolean =>
  ["serverType", "loadBalancerType", "size", "type", "location", "publicNets", "backups"].some((key) =>
    isUnknown(props[key]),
  );

/** The whole stack against `groundwork:cost.monthlyCap`; nothing where no cap is set. */
export const monthlyCostCap = stackRule(
  {
    id: "monthly-cost-cap",
    title: "The stack costs no more a month than its settings allow, and everything in it has a known price",
    severity: "high",
    controls: [groundwork("A bill that was told before")],
    remediation:
      "Take fewer or smaller types, name a missing price in groundwork:cost.prices, or raise cost.monthlyCap.",
    configSchema: { properties: { cost: { type: "object" } } },
  },
  (resources, report, config) => {
    const cost = config["cost"] as CostSettings | undefined;
    if (cost?.monthlyCap === undefined) return;
    const prices = pricesOf(cost);
    const all: Item[] = [];
    for (const resource of resources) {
      if (isOpen(resource)) continue;
      for (const item of itemsOf({ type: resource.type, name: resource.name, inputs: resource.props }, prices)) {
        // What nobody knows the price of can't be under a cap. A snapshot alone has its size only when it is made.
        if (item.monthly !== undefined) all.push(item);
        else if (!item.what.startsWith("snapshot")) report(resource, `${resource.name}: ${item.what}: ${item.why}`);
      }
    }
    const total = sum(all);
    if (total <= cost.monthlyCap) return;
    report(
      undefined,
      `the stack costs ${prices.currency} ${total.toFixed(2)} a month by the prices of ${prices.date}, ` +
        `${round(total - cost.monthlyCap).toFixed(2)} more than its cap of ${cost.monthlyCap}; dearest: ${dearest(all)}`,
    );
  },
);
