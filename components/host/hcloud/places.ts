/** Locations of Hetzner Cloud with their network zones (docs.hetzner.com/cloud/general/locations). */
export const zones = {
  fsn1: "eu-central",
  nbg1: "eu-central",
  hel1: "eu-central",
  ash: "us-east",
  hil: "us-west",
  sin: "ap-southeast",
} as const;

export type Location = keyof typeof zones;

export const locationNames = Object.keys(zones) as [Location, ...Location[]];

/** A machine's processor, in the words of Hetzner's API. */
export type Architecture = "x86" | "arm";

/** Of a server type: the types of Ampere's processors are called cax. */
export const architectureOf = (type: string): Architecture => (type.startsWith("cax") ? "arm" : "x86");

/** What the artefacts of this checkout run on; the catalogue has one set. */
export const artifactArchitecture: Architecture = "x86";

/** Most servers in one placement group of the kind `spread` (docs.hetzner.com/cloud/placement-groups/overview). */
export const spreadLimit = 10;

/** Most servers and load balancers in one network (docs.hetzner.com/networking/networks/faq). */
export const networkLimit = 100;
