import { clusterNetworks } from "../firewall";
import { addressAt, networkOf } from "./addresses";
import { architectureOf, artifactArchitecture, networkLimit, spreadLimit, zones } from "./places";
import { planCloud, type PlannedServer } from "./plan";
import type { HcloudSettings } from "./settings";

/** What is wrong with settings that are each right by themselves, by the path below `target`. */
export interface HcloudProblem {
  path: (string | number)[];
  text: string;
}

type Check = (settings: HcloudSettings) => HcloudProblem[];

const problem = (path: (string | number)[], text: string): HcloudProblem => ({ path, text });

const within = (inner: string, outer: string): boolean => {
  const [a, b] = [networkOf(inner), networkOf(outer)];
  return a.first >= b.first && a.first + a.size <= b.first + b.size;
};

const overlap = (one: string, other: string): boolean => {
  const [a, b] = [networkOf(one), networkOf(other)];
  return a.first < b.first + b.size && b.first < a.first + a.size;
};

const isNetwork = (cidr: string): boolean => `${addressAt(cidr, 0)}/${cidr.split("/")[1]}` === cidr;

/** Networks that Hetzner takes for private ones (docs.hetzner.com/networking/networks/faq): RFC 1918. */
const privateRanges = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

const networkIsUsable: Check = ({ network: { cidr, subnet } }) => {
  const path = ["network", "cidr"];
  if (!isNetwork(cidr)) {
    return [
      problem(
        path,
        `is "${cidr}", an address inside a network; did you mean ${addressAt(cidr, 0)}/${cidr.split("/")[1]}?`,
      ),
    ];
  }
  const outside = privateRanges.every((range) => !within(cidr, range));
  if (outside) return [problem(path, `is "${cidr}", and Hetzner takes parts of ${privateRanges.join(", ")} only`)];
  const taken = Object.entries({ pods: clusterNetworks.pods, Services: clusterNetworks.services })
    .filter(([, inner]) => overlap(inner, cidr))
    .map(([name, inner]) =>
      problem(path, `is "${cidr}", which overlaps ${inner}, the network of the cluster's ${name}`),
    );
  if (taken.length > 0 || subnet === undefined) return taken;
  const below = ["network", "subnet"];
  if (!isNetwork(subnet)) return [problem(below, `is "${subnet}", an address inside a network`)];
  return within(subnet, cidr) ? [] : [problem(below, `is "${subnet}", which is not part of network.cidr ${cidr}`)];
};

const networkIsLarge: Check = ({ network: { cidr, subnet } }) =>
  Number((subnet ?? cidr).split("/")[1]) <= 24
    ? []
    : [
        problem(
          ["network", subnet === undefined ? "cidr" : "subnet"],
          "must have 256 addresses or more (a prefix of /24 or shorter)",
        ),
      ];

/** Every place where the settings name a location. */
function places(settings: HcloudSettings): [(string | number)[], keyof typeof zones][] {
  const servers = (settings.servers.locations ?? []).map(
    (place, index) => [["servers", "locations", index], place] as [(string | number)[], keyof typeof zones],
  );
  const agents = settings.agents.flatMap(({ location }, index) =>
    location === undefined
      ? []
      : [[["agents", index, "location"], location] as [(string | number)[], keyof typeof zones]],
  );
  return [...servers, ...agents];
}

const oneZone: Check = (settings) => {
  const zone = zones[settings.location];
  return places(settings)
    .filter(([, place]) => zones[place] !== zone)
    .map(([path, place]) =>
      problem(path, `is "${place}" in ${zones[place]}, and the network is in ${zone}: a network has one zone`),
    );
};

/** Every place where the settings name a server type. */
const types = ({ servers, agents, gateway }: HcloudSettings): [(string | number)[], string][] => [
  [["servers", "type"], servers.type],
  ...agents.map(({ type }, index) => [["agents", index, "type"], type] as [(string | number)[], string]),
  ...(gateway ? [[["gateway", "type"], gateway.type] as [(string | number)[], string]] : []),
];

const runsTheArtifacts: Check = (settings) =>
  types(settings)
    // The gateway runs nothing of the catalogue.
    .filter(([path, type]) => path[0] !== "gateway" && architectureOf(type) !== artifactArchitecture)
    .map(([path, type]) =>
      problem(path, `is "${type}", which is ARM, and the artefacts of this checkout are for x86: take cx, cpx or ccx`),
    );

const gatewayIsThere: Check = ({ privateNodes, gateway }) => {
  if (privateNodes && !gateway) {
    return [problem(["gateway"], "is missing: private machines need one; set gateway.type, or privateNodes to false")];
  }
  if (!privateNodes && gateway) {
    return [problem(["gateway"], "has nothing to do where privateNodes is false: leave it out")];
  }
  return [];
};

const namesAreUnique: Check = ({ agents }) =>
  agents.flatMap(({ name }, index) =>
    agents.findIndex((other) => other.name === name) < index
      ? [problem(["agents", index, "name"], `is "${name}", as another pool's: give each a name of its own`)]
      : [],
  );

const spreadsFit: Check = ({ agents }) =>
  agents.flatMap(({ name, count, spread }, index) =>
    spread && count > spreadLimit
      ? [
          problem(
            ["agents", index, "count"],
            `is ${count}, and Hetzner spreads ${spreadLimit} at most: make two pools of ${name}, or set its spread to false`,
          ),
        ]
      : [],
  );

const addressesAreUnique: Check = (settings) => {
  const unique = new Set(settings.agents.map(({ name }) => name)).size === settings.agents.length;
  if (!unique || networkIsLarge(settings).length > 0) return [];
  const plan = planCloud(settings, "stack");
  const all = [...(plan.gateway ? [plan.gateway] : []), ...plan.nodes];
  const members = all.length + 2;
  if (members > networkLimit) {
    return [
      problem(
        ["agents"],
        `make ${members} members of the network with servers, gateway and balancers; Hetzner takes ${networkLimit}`,
      ),
    ];
  }
  const short = ({ name }: PlannedServer) => name.slice("stack-".length);
  return all.flatMap((machine, index) => {
    const other = all.slice(0, index).find(({ address }) => address === machine.address);
    if (!other) return [];
    const pool = settings.agents.findIndex(({ name }) => name === machine.labels["groundwork-pool"]);
    return [
      problem(
        ["agents", pool, "name"],
        `gives ${short(machine)} the address ${machine.address} that ${short(other)} has: take another name, or a larger network.subnet`,
      ),
    ];
  });
};

const administratorsAreNamed: Check = ({ firewall }) =>
  firewall.allowAnySource
    ? []
    : firewall.adminSources.flatMap((source, index) =>
        source.endsWith("/0")
          ? [
              problem(
                ["firewall", "adminSources", index],
                `is "${source}": everyone could try SSH and the Kubernetes API. Name your own networks, or set ` +
                  `firewall.allowAnySource to true if you mean it`,
              ),
            ]
          : [],
      );

const checks: Check[] = [
  networkIsUsable,
  networkIsLarge,
  oneZone,
  runsTheArtifacts,
  gatewayIsThere,
  namesAreUnique,
  spreadsFit,
  addressesAreUnique,
  administratorsAreNamed,
];

/** Everything that is wrong between the settings of the target. */
export const hcloudProblems = (settings: HcloudSettings): HcloudProblem[] => checks.flatMap((check) => check(settings));
