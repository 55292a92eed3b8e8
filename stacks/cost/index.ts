export { type Item, itemsOf, type Resource, round } from "./items";
export { type Bill, billOf, type Change, type Line, type Planned, sum } from "./plan";
export { ownTable, type Place, type Prices, pricesOf } from "./price-list";
export { costSchema, type CostSettings } from "./settings";
