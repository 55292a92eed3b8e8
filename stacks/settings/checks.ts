import { K3S_RELEASES } from "../../artifacts/catalogue/cluster";
import { chooseRelease } from "../../components/cluster/versions";
import { certificateProblems } from "../../components/pki/settings";
import type { ResourceNeeds } from "../../components/workload/types";
import { clusterNetworks } from "../../components/host/firewall";
import { hcloudProblems } from "../../components/host/hcloud/checks";
import * as cidrs from "./cidr";
import { type Cidr, formatAddress, formatNetwork, parseAddress, parseCidr } from "./cidr";
import type { Path, Problem } from "./problem";
import { bytes, cores, formatBytes } from "./quantity";
import type { Settings } from "./slices";

/** A rule that looks at several settings at once, and the sections that it looks at. */
interface Check {
  needs: (keyof Settings)[];
  find: (settings: Settings) => Problem[];
}

const problem = (path: Path, text: string): Problem => ({ path, at: "value", text });

/** Ports of the control plane, the kubelet and the node's own services: never open to everyone. */
const INNER_PORTS: Record<number, string> = {
  2379: "etcd",
  2380: "etcd",
  5001: "the registry mirror",
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
  certManager: { memory: 64 * 2 ** 20, cpu: 0.02 },
  keeper: { memory: 48 * 2 ** 20, cpu: 0.01 },
  agent: { memory: 64 * 2 ** 20, cpu: 0.01 },
};

const needsOf = ({ requests }: ResourceNeeds) => ({ memory: bytes(requests.memory), cpu: cores(requests.cpu) });

/** How many machines there will be. */
export function machineCount({ target }: Settings): number {
  if (target.driver === "ssh") return target.hosts.length;
  if (target.driver !== "hcloud") return target.servers + target.agents;
  return target.agents.reduce((sum, { count }) => sum + count, target.servers.count);
}

interface Network {
  path: Path;
  cidr: Cidr;
}

/** Networks in the settings by the path at which they stand; texts that are no network are told by their schema. */
function read(texts: [Path, string][]): Network[] {
  return texts.flatMap(([path, text]) => {
    const cidr = parseCidr(text);
    return cidr ? [{ path, cidr }] : [];
  });
}

const machineNetworks = ({ target }: Settings): Network[] =>
  target.driver === "nspawn" || target.driver === "docker"
    ? read([[["target", "network", "cidr"], target.network.cidr]])
    : [];

const adminNetworks = ({ target }: Settings): Network[] =>
  read(target.firewall.adminSources.map((text, index) => [["target", "firewall", "adminSources", index], text]));

/** What the cluster has inside: no machine may have an address there. */
const innerNetworks = [
  { name: "pods", cidr: parseCidr(clusterNetworks.pods)! },
  { name: "Services", cidr: parseCidr(clusterNetworks.services)! },
];

const networksAreClean: Check["find"] = (settings) =>
  [...machineNetworks(settings), ...adminNetworks(settings)].flatMap(({ path, cidr }) => {
    if (cidr.address === cidr.first) return [];
    const given = `${formatAddress(cidr.address)}/${cidr.prefix}`;
    return [problem(path, `is "${given}", an address inside a network; did you mean ${formatNetwork(cidr)}?`)];
  });

const machinesHaveUsableAddresses: Check["find"] = (settings) =>
  machineNetworks(settings).flatMap(({ path, cidr }) => {
    const given = `is "${formatNetwork(cidr)}"`;
    const reserved = cidrs.reservedFor(cidr);
    if (reserved) return [problem(path, `${given}, which touches the ${reserved} addresses`)];
    return innerNetworks
      .filter((inner) => cidrs.overlap(inner.cidr, cidr))
      .map(({ name, cidr: inner }) =>
        problem(path, `${given}, which overlaps ${formatNetwork(inner)}, the network of the cluster's ${name}`),
      );
  });

const adminSourcesAreApart: Check["find"] = (settings) => {
  const all = adminNetworks(settings);
  return all.flatMap(({ path, cidr }, index) =>
    all
      .slice(0, index)
      .filter((other) => cidrs.overlap(other.cidr, cidr))
      .map((other) =>
        // nftables refuses a set of overlapping ranges.
        problem(
          path,
          `is "${formatNetwork(cidr)}", which overlaps ${formatNetwork(other.cidr)}: give the wider one only`,
        ),
      ),
  );
};

const adminSourcesLetUsIn: Check["find"] = (settings) => {
  const [machines] = machineNetworks(settings);
  const sources = adminNetworks(settings);
  if (!machines || sources.length < settings.target.firewall.adminSources.length) return [];
  const us = machines.cidr.first + 1;
  if (sources.some(({ cidr }) => cidrs.holds(cidr, us))) return [];
  const path = ["target", "firewall", "adminSources"];
  return [problem(path, `leaves this computer out: its address on the bridge is ${formatAddress(us)}`)];
};

const hostsAreOutside: Check["find"] = ({ target }) => {
  if (target.driver !== "ssh") return [];
  return target.hosts.flatMap(({ address }, index) => {
    const number = parseAddress(address) ?? -1;
    const path = ["target", "hosts", index, "address"];
    const reserved = cidrs.reservedFor({ address: number, prefix: 32, first: number, last: number });
    if (reserved) return [problem(path, `is "${address}", one of the ${reserved} addresses`)];
    return innerNetworks
      .filter(({ cidr }) => cidrs.holds(cidr, number))
      .map(({ name, cidr }) =>
        problem(path, `is "${address}", in ${formatNetwork(cidr)}, the network of the cluster's ${name}`),
      );
  });
};

const cloudTakesIt: Check["find"] = ({ target }) =>
  target.driver === "hcloud" ? hcloudProblems(target).map(({ path, text }) => problem(["target", ...path], text)) : [];

const burstIsNotBelowRate: Check["find"] = ({ cluster }) => {
  const { qps, burst } = cluster.eventRateLimit;
  if (burst >= qps) return [];
  return [problem(["cluster", "eventRateLimit", "burst"], `is ${burst}, below qps ${qps}: it must be ${qps} or more`)];
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
  const { target, database, api, edge, vault, certificates, cache } = settings;
  if (target.driver !== "nspawn" && target.driver !== "docker" && target.driver !== "multipass") return [];
  const count = machineCount(settings);
  const pods = [
    { ...REQUESTS.operator, count: 1 },
    { ...REQUESTS.edge, count: edge.replicas },
    { ...REQUESTS.api, count: api.replicas },
    { memory: bytes(database.memory), cpu: cores(database.cpu), count: database.instances },
    ...(certificates.enabled ? [{ ...REQUESTS.certManager, count: 2 }] : []),
    ...(cache.enabled ? [{ memory: bytes(cache.memory), cpu: 0.02, count: 1 }] : []),
    ...(vault.enabled
      ? [
          { ...needsOf(vault.resources), count: vault.replicas },
          { ...needsOf(vault.bootstrapResources), count: 1 },
          { ...REQUESTS.keeper, count: vault.replicas + 1 },
          { ...REQUESTS.agent, count: api.replicas },
        ]
      : []),
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
  const release = chooseRelease(cluster.version);
  if (release !== undefined && K3S_RELEASES.includes(release)) return [];
  return [
    problem(
      ["cluster", "version"],
      `is "${cluster.version}", and the catalogue has ${K3S_RELEASES.join(", ")}: docs/runbooks/upgrade.md says how to add another`,
    ),
  ];
};

const certificatesCanBeIssued: Check["find"] = ({ certificates, domain, target }) =>
  certificateProblems(certificates, { domain, reachable: ["ssh", "hcloud"].includes(target.driver) }).map(
    ({ key, text }) => problem(["certificates", key], text),
  );

/** Features that stand on another one, and what they take from it. */
const trustIsComplete: Check["find"] = ({ certificates, vault, cache, externalSecrets }) => {
  const needs = (on: boolean, path: Path, other: string, there: boolean, why: string): Problem[] =>
    on && !there ? [problem(path, `needs groundwork:${other}: ${why}`)] : [];
  const issued = "set certificates.enabled to true, which signs what it shows";
  return [
    ...needs(vault.enabled, ["vault", "enabled"], "certificates", certificates.enabled, issued),
    ...needs(cache.enabled, ["cache", "enabled"], "certificates", certificates.enabled, issued),
    ...needs(
      certificates.enabled && certificates.issuer === "vault",
      ["certificates", "issuer"],
      "vault",
      vault.enabled,
      "set vault.enabled to true",
    ),
    ...needs(
      externalSecrets.enabled,
      ["externalSecrets", "enabled"],
      "vault",
      vault.enabled,
      "set vault.enabled to true, which its values come from",
    ),
  ];
};

const vaultServersHaveMachines: Check["find"] = (settings) => {
  const count = machineCount(settings);
  const { enabled, replicas } = settings.vault;
  if (!enabled || replicas <= count) return [];
  const machines = count === 1 ? "1 machine" : `${count} machines`;
  return [
    problem(["vault", "replicas"], `is ${replicas}, with ${machines}: a majority must survive the loss of a machine`),
  ];
};

const CHECKS: Check[] = [
  { needs: ["target"], find: networksAreClean },
  { needs: ["target"], find: machinesHaveUsableAddresses },
  { needs: ["target"], find: hostsAreOutside },
  { needs: ["target"], find: cloudTakesIt },
  { needs: ["target"], find: adminSourcesAreApart },
  { needs: ["target"], find: adminSourcesLetUsIn },
  { needs: ["target"], find: firewallKeepsTheInside },
  { needs: ["cluster"], find: versionIsInTheCatalogue },
  { needs: ["cluster"], find: burstIsNotBelowRate },
  { needs: ["target", "database"], find: instancesHaveMachines },
  { needs: ["target", "database", "api", "edge", "vault", "certificates", "cache"], find: requestsFit },
  { needs: ["certificates", "domain", "target"], find: certificatesCanBeIssued },
  { needs: ["certificates", "vault", "cache", "externalSecrets"], find: trustIsComplete },
  { needs: ["vault", "target"], find: vaultServersHaveMachines },
];

/**
 * Everything that is wrong between settings that are each right by themselves. Sections that are not are left out, and so
 * are the rules that need them.
 */
export function crossCheck(sections: Partial<Settings>): Problem[] {
  const usable = CHECKS.filter(({ needs }) => needs.every((key) => sections[key] !== undefined));
  return usable.flatMap(({ find }) => find(sections as Settings));
}
