import { entryOf } from "../../artifacts/catalogue";
import * as cidrs from "./cidr";
import { type Cidr, formatAddress, formatNetwork, parseAddress, parseCidr } from "./cidr";
import type { Path, Problem } from "./problem";
import { bytes, cores, formatBytes } from "./quantity";
import type { Settings } from "./slices";

/** A rule that looks at several settings at once. `isSet` tells whether a value was given or is a default. */
interface Check {
  needs: (keyof Settings)[];
  find: (settings: Settings, isSet: (path: Path) => boolean) => Problem[];
}

const problem = (path: Path, text: string): Problem => ({ path, at: "value", text });

/** Kubernetes gives each node a /24 of the pods' network (kube-controller-manager's node-cidr-mask-size). */
const NODE_PREFIX = 24;

/** Ports of the control plane, the kubelet and the node's own services: never open to everyone. */
const INNER_PORTS: Record<number, string> = {
  2379: "etcd",
  2380: "etcd",
  10250: "the kubelet",
  10257: "the controller manager",
  10259: "the scheduler",
};

/**
 * What a machine spends before the first workload of ours: the operating system, K3s with its own pods and, on the first
 * server, the platform's operators. Measured at rest, rounded up.
 */
const OVERHEAD = { memory: 700 * 2 ** 20, cpu: 0.5 };

/** Requests of one pod of each kind: the defaults of its component. */
const REQUESTS = {
  operator: { memory: 96 * 2 ** 20, cpu: 0.05 },
  edge: { memory: 96 * 2 ** 20, cpu: 0.05 },
  api: { memory: 96 * 2 ** 20, cpu: 0.05 },
};

/** How many machines there will be. */
export const machineCount = ({ target }: Settings): number =>
  target.driver === "ssh" ? target.hosts.length : target.servers + target.agents;

/** Every network in the settings by the path at which it stands; texts that are no network are told by their schema. */
function networks(settings: Settings): { path: Path; cidr: Cidr }[] {
  const { target, cluster } = settings;
  const texts: [Path, string][] = [
    ...(target.driver === "nspawn" ? [[["target", "network", "cidr"], target.network.cidr] as [Path, string]] : []),
    [["cluster", "clusterCidr"], cluster.clusterCidr],
    [["cluster", "serviceCidr"], cluster.serviceCidr],
  ];
  return texts.flatMap(([path, text]) => {
    const cidr = parseCidr(text);
    return cidr ? [{ path, cidr }] : [];
  });
}

const networksAreClean: Check["find"] = (settings) =>
  networks(settings).flatMap(({ path, cidr }) => {
    if (cidr.address !== cidr.first) {
      const given = `${formatAddress(cidr.address)}/${cidr.prefix}`;
      return [problem(path, `is "${given}", an address inside a network: did you mean ${formatNetwork(cidr)}?`)];
    }
    const reserved = cidrs.reservedFor(cidr);
    return reserved ? [problem(path, `is "${formatNetwork(cidr)}", which touches the ${reserved} addresses`)] : [];
  });

const networksAreApart: Check["find"] = (settings, isSet) => {
  // What was set is told to move, not the default that it ran into.
  const all = networks(settings).sort((a, b) => Number(isSet(a.path)) - Number(isSet(b.path)));
  return all.flatMap(({ path, cidr }, index) =>
    all
      .slice(0, index)
      .filter((other) => cidrs.overlap(other.cidr, cidr))
      .map((other) => {
        const where = `groundwork:${other.path.join(".")} (${formatNetwork(other.cidr)})`;
        return problem(path, `is "${formatNetwork(cidr)}", which overlaps ${where}: they must be apart`);
      }),
  );
};

const networksAreLargeEnough: Check["find"] = (settings) => {
  const { target, cluster } = settings;
  const count = machineCount(settings);
  const pods = parseCidr(cluster.clusterCidr);
  const found: Problem[] = [];
  if (pods && 2 ** (NODE_PREFIX - pods.prefix) < count) {
    const needs = NODE_PREFIX - Math.ceil(Math.log2(count));
    found.push(
      problem(
        ["cluster", "clusterCidr"],
        `is "${cluster.clusterCidr}", which has no /${NODE_PREFIX} for each of ${count} machines: it must be a /${needs} or larger`,
      ),
    );
  }
  const services = parseCidr(cluster.serviceCidr);
  // The API server takes nothing smaller than room for its own and the DNS's address, nothing larger than 2^20.
  if (services && (services.prefix > 24 || services.prefix < 12)) {
    found.push(problem(["cluster", "serviceCidr"], `is "${cluster.serviceCidr}": it must be a /12 to a /24`));
  }
  const machines = target.driver === "nspawn" ? parseCidr(target.network.cidr) : undefined;
  // The first ten addresses are this computer's and kept free; the last is the broadcast address.
  if (machines && cidrs.size(machines) - 11 < count) {
    found.push(problem(["target", "network", "cidr"], `has no addresses for ${count} machines`));
  }
  return found;
};

const dnsIsAService: Check["find"] = ({ cluster }) => {
  const path = ["cluster", "clusterDns"];
  const address = parseAddress(cluster.clusterDns);
  const services = parseCidr(cluster.serviceCidr);
  if (address === undefined || !services) return [];
  if (!cidrs.holds(services, address)) {
    const near = formatAddress(services.first + 10);
    return [
      problem(path, `is "${cluster.clusterDns}", outside of serviceCidr ${cluster.serviceCidr}: ${near} would do`),
    ];
  }
  if (address <= services.first + 1 || address === services.last) {
    return [
      problem(
        path,
        `is "${cluster.clusterDns}", which Kubernetes keeps for itself: ${formatAddress(services.first + 10)} would do`,
      ),
    ];
  }
  return [];
};

const hostsAreOutside: Check["find"] = (settings) => {
  const { target } = settings;
  if (target.driver !== "ssh") return [];
  return target.hosts.flatMap((host, index) =>
    networks(settings)
      .filter(({ cidr }) => cidrs.holds(cidr, parseAddress(host.address) ?? -1))
      .map(({ path, cidr }) =>
        problem(
          ["target", "hosts", index, "address"],
          `is "${host.address}", inside groundwork:${path.join(".")} (${formatNetwork(cidr)}): pods could not reach the machine`,
        ),
      ),
  );
};

const firewallKeepsTheInside: Check["find"] = ({ target }) =>
  target.firewall.ports.flatMap((port, index) => {
    const path = ["target", "firewall", "ports", index];
    if (port === 22 || port === 6443) {
      return [problem(path, `is ${port}: who may reach SSH and the Kubernetes API is said by adminSources`)];
    }
    const inner = INNER_PORTS[port];
    return inner ? [problem(path, `is ${port}, the port of ${inner}: it is never open to everyone`)] : [];
  });

const instancesHaveMachines: Check["find"] = (settings) => {
  const count = machineCount(settings);
  const { instances } = settings.database;
  if (instances <= count) return [];
  return [
    problem(
      ["database", "instances"],
      `is ${instances}, with ${count === 1 ? "1 machine" : `${count} machines`}: each instance needs one of its own, or the loss of one loses two`,
    ),
  ];
};

const requestsFit: Check["find"] = (settings) => {
  const { target, database, api, edge } = settings;
  if (target.driver !== "nspawn") return [];
  const count = machineCount(settings);
  const pods = [
    { ...REQUESTS.operator, count: 1 },
    { ...REQUESTS.edge, count: edge.replicas },
    { ...REQUESTS.api, count: api.replicas },
    { memory: bytes(database.memory), cpu: cores(database.cpu), count: database.instances },
  ];
  const sum = (what: "memory" | "cpu"): number =>
    OVERHEAD[what] * count + pods.reduce((total, pod) => total + pod[what] * pod.count, 0);
  const found: Problem[] = [];
  const machines = count === 1 ? "1 machine" : `${count} machines`;
  if (target.memory !== undefined && sum("memory") > bytes(target.memory) * count) {
    const needs = formatBytes(sum("memory") / count);
    const has = `is "${target.memory}" on ${machines}`;
    found.push(problem(["target", "memory"], `${has}, and what is to run asks for more: it must be ${needs} or more`));
  }
  if (target.cpus !== undefined && sum("cpu") > target.cpus * count) {
    const needs = Math.ceil((sum("cpu") / count) * 2) / 2;
    const has = `is ${target.cpus} on ${machines}`;
    found.push(problem(["target", "cpus"], `${has}, and what is to run asks for more: it must be ${needs} or more`));
  }
  return found;
};

const versionIsInTheCatalogue: Check["find"] = ({ cluster }) => {
  const [, minor] = /^v(\d+\.\d+)\./.exec(entryOf("k3s").version) ?? [];
  if (cluster.version === undefined || cluster.version === minor) return [];
  return [
    problem(
      ["cluster", "version"],
      `is "${cluster.version}", and this checkout installs Kubernetes ${minor}: set ${minor} to move the cluster to it`,
    ),
  ];
};

const CHECKS: Check[] = [
  { needs: ["target", "cluster"], find: networksAreClean },
  { needs: ["target", "cluster"], find: networksAreApart },
  { needs: ["target", "cluster"], find: networksAreLargeEnough },
  { needs: ["cluster"], find: dnsIsAService },
  { needs: ["cluster"], find: versionIsInTheCatalogue },
  { needs: ["target", "cluster"], find: hostsAreOutside },
  { needs: ["target"], find: firewallKeepsTheInside },
  { needs: ["target", "database"], find: instancesHaveMachines },
  { needs: ["target", "database", "api", "edge"], find: requestsFit },
];

/**
 * Everything that is wrong between settings that are each right by themselves. Sections that are not are left out, and so
 * are the rules that need them.
 */
export function crossCheck(sections: Partial<Settings>, isSet: (path: Path) => boolean): Problem[] {
  const usable = CHECKS.filter(({ needs }) => needs.every((key) => sections[key] !== undefined));
  return usable.flatMap(({ find }) => find(sections as Settings, isSet));
}
