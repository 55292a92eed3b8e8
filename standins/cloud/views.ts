/** How entries of the catalogue are shown. */
import { type BalancerType, type ServerType, type SystemImage } from "./catalogue";
import type { FaultBox } from "./faults";
import { balancerTypePrices, locationsOf, serverTypePrices } from "./pricing";

export function viewServerType(faults: FaultBox, type: ServerType): object {
  return {
    id: type.id,
    name: type.name,
    description: type.name.toUpperCase(),
    category: type.category,
    cores: type.cores,
    memory: type.memory,
    disk: type.disk,
    deprecated: false,
    deprecation: null,
    prices: serverTypePrices(type.name),
    storage_type: "local",
    cpu_type: type.cpuType,
    architecture: type.architecture,
    included_traffic: 0,
    locations: locationsOf(type.name).map((l) => ({
      id: l.id,
      name: l.name,
      deprecation: null,
      recommended: true,
      available: !faults.isSoldOut(type.name, l.name),
    })),
  };
}

export const viewBalancerType = (type: BalancerType): object => ({
  ...type,
  description: type.name.toUpperCase(),
  prices: balancerTypePrices(type.name),
  deprecated: null,
});

export const viewSystemImage = (image: SystemImage): object => ({
  id: image.id,
  type: "system",
  status: "available",
  name: image.name,
  description: image.description,
  image_size: null,
  disk_size: 5,
  created: "2026-01-15T00:00:00Z",
  created_from: null,
  bound_to: null,
  os_flavor: image.flavor,
  os_version: image.version,
  rapid_deploy: true,
  protection: { delete: false },
  deprecated: null,
  deleted: null,
  labels: {},
  architecture: image.architecture,
});
