/** What is paid for apart from types of servers and load balancers, by its name in price tables. */
export type UnitName = "primary-ipv4" | "floating-ipv4" | "floating-ipv6" | "volume-gb" | "snapshot-gb";

/** Names that a price may have: types as the cloud calls them, and the units. */
export const priceNames = /^([a-z]{2,4}\d{2,3}|primary-ipv4|floating-ipv[46]|volume-gb|snapshot-gb)$/;
