/** What the cloud offers: places, types, images. Sizes are those of Hetzner's price list of September 2026; ids are the emulator's. */
import type { MachineType } from "./backend";
import { invalid } from "./errors";

export interface Location {
  id: number;
  name: string;
  description: string;
  country: string;
  city: string;
  latitude: number;
  longitude: number;
  network_zone: string;
}

const place = (
  id: number,
  name: string,
  city: string,
  country: string,
  zone: string,
  latitude: number,
  longitude: number,
): Location => ({ id, name, description: `${city} DC Park 1`, country, city, latitude, longitude, network_zone: zone });

export const locations: readonly Location[] = [
  place(1, "fsn1", "Falkenstein", "DE", "eu-central", 50.47612, 12.370071),
  place(2, "nbg1", "Nuremberg", "DE", "eu-central", 49.452102, 11.076665),
  place(3, "hel1", "Helsinki", "FI", "eu-central", 60.169855, 24.938379),
  place(4, "ash", "Ashburn, VA", "US", "us-east", 39.045821, -77.487073),
  place(5, "hil", "Hillsboro, OR", "US", "us-west", 45.54222, -122.951924),
  place(6, "sin", "Singapore", "SG", "ap-southeast", 1.283333, 103.833333),
];
export const networkZones = [...new Set(locations.map((l) => l.network_zone))];

export interface ServerType extends MachineType {
  id: number;
  cpuType: "shared" | "dedicated";
  category: string;
}

const kindsOfTypes: [string, string, [string, number, number, number][]][] = [
  [
    "cost_optimized",
    "x86",
    [
      ["cx23", 2, 4, 40],
      ["cx33", 4, 8, 80],
      ["cx43", 8, 16, 160],
      ["cx53", 16, 32, 320],
    ],
  ],
  [
    "cost_optimized",
    "arm",
    [
      ["cax11", 2, 4, 40],
      ["cax21", 4, 8, 80],
      ["cax31", 8, 16, 160],
      ["cax41", 16, 32, 320],
    ],
  ],
  [
    "regular_purpose",
    "x86",
    [
      ["cpx11", 2, 2, 40],
      ["cpx21", 3, 4, 80],
      ["cpx31", 4, 8, 160],
      ["cpx41", 8, 16, 240],
      ["cpx51", 16, 32, 360],
    ],
  ],
  [
    "regular_purpose",
    "x86",
    [
      ["cpx12", 1, 2, 40],
      ["cpx22", 2, 4, 80],
      ["cpx32", 4, 8, 160],
      ["cpx42", 8, 16, 320],
      ["cpx52", 12, 24, 480],
      ["cpx62", 16, 32, 640],
    ],
  ],
  [
    "general_purpose",
    "x86",
    [
      ["ccx13", 2, 8, 80],
      ["ccx23", 4, 16, 160],
      ["ccx33", 8, 32, 240],
      ["ccx43", 16, 64, 360],
      ["ccx53", 32, 128, 600],
      ["ccx63", 48, 192, 960],
    ],
  ],
];

export const serverTypes: readonly ServerType[] = kindsOfTypes
  .flatMap(([category, architecture, types]) => types.map((type) => ({ category, architecture, type })))
  .map(({ category, architecture, type: [name, cores, memory, disk] }, index) => ({
    id: 101 + index,
    name,
    cores,
    memory,
    disk,
    architecture: architecture as "x86" | "arm",
    cpuType: name.startsWith("ccx") ? "dedicated" : "shared",
    category,
  }));

export interface BalancerType {
  id: number;
  name: string;
  max_connections: number;
  max_services: number;
  max_targets: number;
  max_assigned_certificates: number;
}

export const balancerTypes: readonly BalancerType[] = [
  { id: 1, name: "lb11", max_connections: 10_000, max_services: 5, max_targets: 25, max_assigned_certificates: 10 },
  { id: 2, name: "lb21", max_connections: 20_000, max_services: 15, max_targets: 75, max_assigned_certificates: 25 },
  { id: 3, name: "lb31", max_connections: 40_000, max_services: 30, max_targets: 150, max_assigned_certificates: 50 },
];

export interface SystemImage {
  id: number;
  name: string;
  description: string;
  flavor: string;
  version: string;
  architecture: "x86" | "arm";
}

const systems: [string, string, string, string][] = [
  ["debian-12", "Debian 12", "debian", "12"],
  ["debian-13", "Debian 13", "debian", "13"],
  ["ubuntu-22.04", "Ubuntu 22.04", "ubuntu", "22.04"],
  ["ubuntu-24.04", "Ubuntu 24.04", "ubuntu", "24.04"],
  ["rocky-9", "Rocky Linux 9", "rocky", "9"],
];

/** Each system is there once an architecture, under the same name. */
export const systemImages: readonly SystemImage[] = systems.flatMap(([name, description, flavor, version], index) =>
  (["x86", "arm"] as const).map((architecture, arm) => ({
    id: 5001 + index * 2 + arm,
    name,
    description,
    flavor,
    version,
    architecture,
  })),
);

/** Finds an entry by id or name (names that look like numbers are ids); throws `invalid_input` naming the field. */
export function choose<T extends { id: number; name: string }>(
  list: readonly T[],
  idOrName: string | number | undefined,
  field: string,
): T {
  if (idOrName === undefined) throw invalid(field, "is required");
  const found = list.find((e) => e.name === idOrName || String(e.id) === String(idOrName));
  if (!found) throw invalid(field, `'${idOrName}' is unknown`);
  return found;
}

/** Data centres are gone from the API; a few clients still name one when they mean its location. */
export function locationOfDatacenter(name: string | number): string {
  const location = /^([a-z]+\d?)-dc\d+$/.exec(String(name))?.[1];
  if (!location) throw invalid("datacenter", `'${name}' is unknown`);
  return location;
}
