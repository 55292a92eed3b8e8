import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { dockerProblems, probeEngine } from "./docker/preflight";
import { probeHcloud } from "./hcloud/preflight";
import { multipassProblems, probeMultipass } from "./multipass/preflight";
import { bridgeMark, isBlankBridge, linkMark } from "./nspawn/changes";
import { overlaps, planMachines } from "./nspawn/plan";
import { poll, run, sshBanner, succeeds } from "./nspawn/process";
import { readRecord } from "./nspawn/store";
import { clusterNetworks } from "./firewall";
import type { NspawnSettings, SshSettings, TargetSettings } from "./settings";
import { keyProblem } from "./ssh/key";

/** What stands in the way, and what to do about it: one message for a person. */
export type Problem = string;

export interface PreflightContext {
  stack: string;
  stateDir: string;
}

/** What was found out about this computer. The probes fill it in; the checks only read it. */
export interface Computer {
  platform: NodeJS.Platform;
  /** Numeric user id; 0 is root. */
  user: number;
  /** Capability CAP_SYS_ADMIN is held. */
  canMount: boolean;
  /** Commands that were looked for and are not there. */
  missingCommands: string[];
  /** Kernel features that were tried and do not work. */
  missingFeatures: string[];
  /** Bytes free where machines and their volumes are kept. */
  freeDisk: number;
  /** Bytes of memory that programs can still have. */
  freeMemory: number;
  /** Whether layers can be kept below the state directory: not on an overlay or a network file system. */
  stateFileSystem: string;
  /** What the bridge's name stands for: nothing yet, ours, or another's. */
  bridge: "free" | "ours" | "foreign";
  /** Networks of this computer's other links and routes, as `network via link`. */
  networks: { cidr: string; link: string }[];
  /** Addresses of the plan that something answers at although none of our machines has them. */
  takenAddresses: string[];
  /** Machines in the stack's folder that another network was made for: name to bridge. */
  strangers: { name: string; bridge: string }[];
}

/** Bytes: images, their unpacked layers and the database of a small stack come to 6 GiB. */
const diskNeeded = 8 * 2 ** 30;
/** Bytes: what one machine of the smallest stack uses at rest. */
const memoryNeeded = 1.5 * 2 ** 30;

/** Command to the Debian package that has it. */
const commands: Record<string, string> = {
  "systemd-nspawn": "systemd-container",
  ip: "iproute2",
  iptables: "iptables",
  tar: "tar",
  nsenter: "util-linux",
  unshare: "util-linux",
};

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/** What is wrong with this computer for machines of these settings; pure, so that each message can be tested. */
export function nspawnProblems(
  settings: NspawnSettings,
  computer: Computer,
  { stack, stateDir }: PreflightContext,
): Problem[] {
  const problems: Problem[] = [];
  const { cidr, bridge } = settings.network;
  if (computer.platform !== "linux") {
    // Nothing else that would be found is of use then.
    return [`the target "nspawn" needs Linux, and this is ${computer.platform}: use "docker", "multipass" or "ssh"`];
  }
  if (computer.user !== 0) {
    problems.push('machines can only be made by root: run this with sudo, or use the target "docker" or "ssh"');
  } else if (!computer.canMount) {
    problems.push(
      "root may not mount here (CAP_SYS_ADMIN is missing): run this outside the container, or make it privileged",
    );
  }
  if (computer.missingCommands.length > 0) {
    const packages = [...new Set(computer.missingCommands.map((command) => commands[command] ?? command))];
    problems.push(
      `missing on this computer: ${computer.missingCommands.join(", ")}; apt-get install ${packages.join(" ")}`,
    );
  }
  for (const feature of computer.missingFeatures) {
    problems.push(`the kernel has no ${feature}: load its module, or boot a kernel that has it`);
  }
  if (["overlay", "nfs", "nfs4", "fuse", "9p"].includes(computer.stateFileSystem)) {
    problems.push(
      `${stateDir} lies on ${computer.stateFileSystem}, which can't hold a machine's layers: set GROUNDWORK_STATE_DIR to a folder on a local disk`,
    );
  }
  const machines = settings.servers + settings.agents;
  if (computer.freeDisk < diskNeeded) {
    problems.push(
      `${gib(computer.freeDisk)} of disk are free at ${stateDir}, and ${gib(diskNeeded)} are needed: free some, or set GROUNDWORK_STATE_DIR`,
    );
  }
  if (computer.freeMemory < memoryNeeded + (machines - 1) * 2 ** 29) {
    problems.push(
      `${gib(computer.freeMemory)} of memory are free, and ${machines} machine(s) need ${gib(memoryNeeded + (machines - 1) * 2 ** 29)}`,
    );
  }
  if (computer.bridge === "foreign") {
    problems.push(`the link ${bridge} exists and is not ours: choose another name in target.network.bridge`);
  }
  for (const used of computer.networks) {
    if (used.link === bridge || !overlaps(used.cidr, cidr)) continue;
    problems.push(
      `target.network.cidr ${cidr} overlaps ${used.cidr}, which this computer has on ${used.link}: choose another`,
    );
  }
  for (const [what, network] of Object.entries({ pods: clusterNetworks.pods, services: clusterNetworks.services })) {
    if (overlaps(network, cidr)) {
      problems.push(
        `target.network.cidr ${cidr} overlaps ${network}, which the cluster uses for ${what}: choose another`,
      );
    }
  }
  for (const address of computer.takenAddresses) {
    problems.push(
      `the address ${address} is taken by something that is not of stack ${stack}: choose another target.network.cidr`,
    );
  }
  for (const { name, bridge: other } of computer.strangers) {
    problems.push(
      `machine ${stack}/${name} of an earlier run stands on bridge ${other}, not ${bridge}: take it away with ` +
        `"node components/host/nspawn/tool.cjs delete ${stack}/${name}", or go back to that bridge`,
    );
  }
  return problems;
}

/** What is wrong with the settings of existing machines, as far as this computer can tell without a key. */
export function sshProblems(settings: SshSettings, answers: Record<string, boolean>): Problem[] {
  const problem = settings.privateKeyFile === undefined ? undefined : keyProblem(settings.privateKeyFile);
  const silent = settings.hosts.filter((host) => answers[host.name] === false);
  return [
    ...(problem === undefined ? [] : [problem]),
    ...silent.map(
      ({ name, address, port }) =>
        `machine ${name}: no SSH server answers at ${address}:${port}; is it on, is the address right, and does its firewall let this computer in?`,
    ),
  ];
}

/** Looks whether this computer, or the machines that exist, can hold the target. Empty when nothing is in the way. */
export async function preflightTarget(target: TargetSettings, context: PreflightContext): Promise<Problem[]> {
  switch (target.driver) {
    case "nspawn":
      return nspawnProblems(target, await probe(target, context), context);
    case "ssh": {
      const answers = target.hosts.map(
        async ({ name, address, port }) =>
          [name, (await poll(5000, 500, () => sshBanner(address, port))) !== undefined] as const,
      );
      return sshProblems(target, Object.fromEntries(await Promise.all(answers)));
    }
    case "hcloud":
      return probeHcloud(target, context.stack);
    case "docker":
      return dockerProblems(target, await probeEngine(target, context), context);
    case "multipass":
      return multipassProblems(target, probeMultipass(target, context));
  }
}

/** Why this computer can't hold machines of nspawn at all, in a few words; undefined when it can. */
export function nspawnHindrance(): string | undefined {
  if (process.platform !== "linux") return `this is ${process.platform}, not Linux`;
  if (process.getuid?.() !== 0) return "not run by root";
  if ((capabilities() >> 21n) % 2n === 0n) return "root may not mount here";
  const missing = Object.keys(commands).filter((command) => !onPath(command));
  const packages = [...new Set(missing.map((command) => commands[command]))];
  return packages.length > 0 ? `missing packages: ${packages.join(" ")}` : undefined;
}

async function probe(settings: NspawnSettings, { stack, stateDir }: PreflightContext): Promise<Computer> {
  const { bridge } = settings.network;
  const isRoot = process.getuid?.() === 0;
  const existing = nearestFolder(stateDir);
  const own = planMachines(settings).filter(({ name }) => readRecord(`${stack}/${name}`) === undefined);
  // Only on a bridge that is there already: elsewhere a proxy in between may answer for addresses that nobody has.
  const asked = linkMark(bridge) === undefined ? [] : own;
  const answering = await Promise.all(asked.map(async ({ address }) => ((await sshBanner(address)) ? [address] : [])));
  const missingCommands = Object.keys(commands).filter((command) => !onPath(command));
  const mark = linkMark(bridge);
  return {
    platform: process.platform,
    user: process.getuid?.() ?? -1,
    canMount: (capabilities() >> 21n) % 2n === 1n,
    missingCommands,
    missingFeatures: isRoot && missingCommands.length === 0 ? missingFeatures() : [],
    freeDisk: fs.statfsSync(existing).bavail * fs.statfsSync(existing).bsize,
    freeMemory: Number(/MemAvailable:\s+(\d+)/.exec(text("/proc/meminfo"))?.[1] ?? os.freemem() / 1024) * 1024,
    stateFileSystem: onPath("stat")
      ? run("stat", "-f", "-c", "%T", existing).trim().replace("overlayfs", "overlay")
      : "unknown",
    bridge: mark === undefined ? "free" : mark === bridgeMark || isBlankBridge(bridge) ? "ours" : "foreign",
    networks: missingCommands.includes("ip") ? [] : networks(),
    takenAddresses: answering.flat(),
    strangers: records(stateDir, stack).filter((record) => record.bridge !== bridge),
  };
}

const text = (file: string): string => {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return "";
  }
};

/** Effective capabilities as a bit set (capabilities(7)). */
const capabilities = (): bigint => BigInt(`0x${/CapEff:\s+(\w+)/.exec(text("/proc/self/status"))?.[1] ?? "0"}`);

function onPath(command: string): boolean {
  const folders = (process.env["PATH"] ?? "").split(":");
  return folders.some((folder) => fs.existsSync(path.join(folder, command)));
}

function nearestFolder(folder: string): string {
  return fs.existsSync(folder) ? folder : nearestFolder(path.dirname(folder));
}

/** Tries in namespaces of its own what machines need of the kernel; nothing of it stays. */
function missingFeatures(): string[] {
  const alone = (...command: string[]): boolean => succeeds("unshare", "--mount", "--net", "sh", "-ec", ...command);
  const tries: [string, string][] = [
    [
      "overlay file system (overlay)",
      "d=$(mktemp -d); mount -t tmpfs none $d; mkdir $d/l $d/u $d/w $d/m; trap 'rmdir $d' EXIT; mount -t overlay -o lowerdir=$d/l,upperdir=$d/u,workdir=$d/w none $d/m; umount $d/m $d",
    ],
    ["bridges (bridge)", "ip link add name gwtest type bridge"],
    ["virtual Ethernet pairs (veth)", "ip link add name gwtest type veth peer name gwpeer"],
    ["address translation (iptable_nat or nft_chain_nat)", "iptables -t nat -A POSTROUTING -j MASQUERADE"],
    [
      "nftables with connection tracking (nf_tables, nft_ct)",
      "command -v nft > /dev/null || exit 0; printf 'table inet t { chain c { type filter hook input priority 0; ct state established accept; }; }' | nft -f -",
    ],
  ];
  return tries.filter(([, command]) => !alone(command)).map(([feature]) => feature);
}

function networks(): { cidr: string; link: string }[] {
  const routes = run("ip", "-4", "-o", "route", "show", "table", "main").split("\n");
  return routes.flatMap((line) => {
    const found = /^(\d+\.\d+\.\d+\.\d+(?:\/\d+)?) .*?dev (\S+)/.exec(line);
    return found ? [{ cidr: found[1]!.includes("/") ? found[1]! : `${found[1]}/32`, link: found[2]! }] : [];
  });
}

function records(stateDir: string, stack: string): { name: string; bridge: string }[] {
  const folder = path.join(stateDir, "machines", stack);
  const names = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  return names.flatMap((name) => {
    const record = text(path.join(folder, name, "machine.json"));
    return record ? [{ name, bridge: (JSON.parse(record) as { bridge: string }).bridge }] : [];
  });
}
