import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import { clusterNetworks } from "../firewall";
import { overlaps, planMachines } from "../nspawn/plan";
import { stateDir } from "../../../cli/paths";
import { docker, inspect, labels, type Container } from "./engine";
import { containerName, networkName, publishedOf } from "./plan";
import type { DockerSettings } from "./settings";

/** What the engine tells of itself; engines that are called `docker` and are none leave some of it out. */
export interface EngineInfo {
  OSType?: string;
  OperatingSystem?: string;
  ServerVersion?: string;
  MemTotal?: number;
  NCPU?: number;
  SecurityOptions?: string[] | null;
  DockerRootDir?: string;
  /** Why the engine can't be asked, as its command line tells it. */
  ServerErrors?: string[];
}

/** What was found out about the engine. The probes fill it in; the checks only read it. */
export interface EngineFacts {
  /** Why there is no engine to ask, in its command line's words; unset when it answers. */
  silent?: string;
  info: EngineInfo;
  /** Bytes free where the engine keeps its data, where this computer can see it. */
  freeDisk?: number;
  /** Networks of this computer that are not the stack's, as `network via link`; none where the engine runs elsewhere. */
  networks: { cidr: string; link: string }[];
  /** Ports of this computer that the machines are to have and something else has. */
  takenPorts: string[];
  /** Containers of the machines' names that are not of this state directory. */
  strangers: string[];
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/** Bytes: what the machines of the smallest stack use at rest, as for nspawn. */
const memoryNeeded = (machines: number): number => 1.5 * 2 ** 30 + (machines - 1) * 2 ** 29;
const diskNeeded = 8 * 2 ** 30;

/** What stands in the way of machines in this engine, each in one message; pure, so that each can be tested. */
export function dockerProblems(settings: DockerSettings, facts: EngineFacts, { stack }: { stack: string }): string[] {
  const { info } = facts;
  if (facts.silent !== undefined) {
    return [
      `the Docker engine does not answer: ${facts.silent}; start it, or choose another target.driver (docs/runbooks/drivers.md)`,
    ];
  }
  if (info.OSType !== undefined && info.OSType !== "linux") {
    return [`the Docker engine runs ${info.OSType} containers: switch it to Linux containers`];
  }
  const problems: string[] = [];
  if (info.SecurityOptions?.some((option) => option.includes("rootless"))) {
    problems.push("the Docker engine is rootless, and a kubelet needs a privileged container: use one that is not");
  }
  const machines = settings.servers + settings.agents;
  if (info.MemTotal !== undefined && info.MemTotal < memoryNeeded(machines)) {
    problems.push(
      `the Docker engine has ${gib(info.MemTotal)} of memory, and ${machines} machine(s) need ${gib(memoryNeeded(machines))}: ` +
        "give it more in its settings",
    );
  }
  if (facts.freeDisk !== undefined && facts.freeDisk < diskNeeded) {
    problems.push(
      `${gib(facts.freeDisk)} of disk are free at ${info.DockerRootDir}, and ${gib(diskNeeded)} are needed: free some`,
    );
  }
  for (const [what, network] of Object.entries({ pods: clusterNetworks.pods, services: clusterNetworks.services })) {
    if (overlaps(network, settings.network.cidr)) {
      problems.push(
        `target.network.cidr ${settings.network.cidr} overlaps ${network}, which the cluster uses for ${what}: choose another`,
      );
    }
  }
  for (const used of facts.networks.filter(({ cidr }) => overlaps(cidr, settings.network.cidr))) {
    problems.push(
      `target.network.cidr ${settings.network.cidr} overlaps ${used.cidr}, which this computer has on ${used.link}: choose another`,
    );
  }
  for (const port of facts.takenPorts) {
    problems.push(`${port} is taken on this computer: end what has it, or set target.publish.address or sshPort`);
  }
  for (const name of facts.strangers) {
    problems.push(`the container ${name} exists and is not of stack ${stack} here: remove it, or rename the stack`);
  }
  return problems;
}

/** What an answer of `docker info` means. Podman's own command under Docker's name answers in another form, here and elsewhere. */
export function readInfo(text: string): Pick<EngineFacts, "silent" | "info"> {
  const info = JSON.parse(text) as EngineInfo;
  const [error] = info.ServerErrors ?? [];
  if (error !== undefined) return { info, silent: error };
  const foreign = "`docker` is another program under this name: use Docker's own, which podman's socket answers, too";
  return info.ServerVersion ? { info } : { info, silent: foreign };
}

/** Asks the engine; never throws. */
export function engineInfo(): Pick<EngineFacts, "silent" | "info"> {
  try {
    return readInfo(docker("info", "--format", "{{json .}}"));
  } catch (error) {
    return { info: {}, silent: (error as Error).message.split("\n")[0]! };
  }
}

/** Why machines can't be made in the engine at all, in a few words; undefined when they can. */
export function dockerHindrance(): string | undefined {
  const { silent, info } = engineInfo();
  if (silent !== undefined) return silent;
  if (info.OSType !== undefined && info.OSType !== "linux") return `the engine runs ${info.OSType} containers`;
  return info.SecurityOptions?.some((option) => option.includes("rootless")) ? "the engine is rootless" : undefined;
}

/** Whether nothing has the port at the address, by taking it for a moment. */
const isFree = (address: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = net.createServer();
    // A low port that may not be taken by this user is the engine's to take, which may.
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "EADDRINUSE"));
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(true)));
  });

/** This computer's networks, where containers may stand beside them. */
const networks = (): EngineFacts["networks"] =>
  Object.entries(os.networkInterfaces()).flatMap(([link, addresses = []]) =>
    addresses
      .filter(({ family, cidr }) => family === "IPv4" && cidr !== null)
      .map(({ cidr }) => ({ cidr: cidr!, link })),
  );

/** Looks what the checks need. */
export async function probeEngine(settings: DockerSettings, { stack }: { stack: string }): Promise<EngineFacts> {
  const facts: EngineFacts = { ...engineInfo(), networks: [], takenPorts: [], strangers: [] };
  if (facts.silent !== undefined) return facts;
  const root = facts.info.DockerRootDir;
  if (root !== undefined && process.platform === "linux" && fs.existsSync(root)) {
    facts.freeDisk = fs.statfsSync(root).bavail * fs.statfsSync(root).bsize;
  }
  // The engine itself compares with its own networks only, and would take over the way to others of this computer.
  if (process.platform === "linux" && !inspect("network", networkName(stack))) facts.networks = networks();
  for (const machine of planMachines(settings)) {
    const name = containerName({ stack, name: machine.name });
    const found = inspect<Container>("container", name);
    if (found && found.Config.Labels?.[labels.owner] !== stateDir()) facts.strangers.push(name);
    // A machine that exists has its ports itself.
    if (found) continue;
    const { address, ports } = publishedOf(settings, machine) ?? { address: "", ports: {} };
    for (const port of Object.values(ports)) {
      if (!(await isFree(address, port))) facts.takenPorts.push(`${address}:${port}`);
    }
  }
  return facts;
}
