import type { Cloud } from "../../../standins/cloud/cloud";

/** How many of each kind a cloud has; kinds of which there is none are left out. */
export function counted(cloud: Cloud): Record<string, number> {
  const all = Object.entries(cloud.objects()).map(([kind, list]) => [kind, list.length] as const);
  return Object.fromEntries(all.filter(([, count]) => count > 0));
}
