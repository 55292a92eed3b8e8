import * as fs from "node:fs";
import * as path from "node:path";
import { writeAtomically } from "../../../cli/paths";
import { isRunning, MachineError, readIfThere, run, succeeds, withLock } from "./process";
import type { MachineSpec } from "./plan";

/** What a machine asks of this computer: a bridge, with this computer's address on it. */
export type Uplink = Pick<MachineSpec, "bridge" | "gateway" | "prefix">;

/**
 * What machines change on the computer that holds them, and the way back. The record lies below /run because
 * it is about the running kernel: after a restart the changes are gone, and so is the record. It is one for
 * the whole computer, since two stacks may want the same kernel setting and only the last one may restore it.
 */
interface Changes {
  /** Bridge name to the iptables rules made for it and the machines on it. */
  bridges: Record<string, { rules: string[][]; machines: string[] }>;
  /** Kernel setting to its value from before. */
  sysctls: Record<string, string>;
  /** Kernel modules loaded for the machines. */
  modules: string[];
  /** Tables of iptables that were not there before; none while it is not known yet. */
  tables?: string[];
}

const file = "/run/groundwork/changes.json";

/** The bridge carries this mark, so that a foreign one of the same name is never touched. */
export const bridgeMark = "groundwork";

/**
 * The kubelet refuses to start with `protect-kernel-defaults` unless the first six hold exactly
 * (kubernetes/pkg/kubelet/cm/container_manager_linux.go, setupKernelTunables); a machine that shares the kernel
 * can't set them itself. The inotify limits are for this computer as a whole: each kubelet takes some hundred.
 */
const exact: Record<string, string> = {
  "vm.overcommit_memory": "1",
  "vm.panic_on_oom": "0",
  "kernel.panic": "10",
  "kernel.panic_on_oops": "1",
  "kernel.keys.root_maxkeys": "1000000",
  "kernel.keys.root_maxbytes": "25000000",
};
const atLeast: Record<string, number> = {
  "fs.inotify.max_user_instances": 8192,
  "fs.inotify.max_user_watches": 524288,
};

/** Modules that K3s's unit loads, or that its networking loads on demand; a container can't load any. */
const modules = [
  "overlay",
  "br_netfilter",
  "nf_conntrack",
  "ip_tables",
  "iptable_nat",
  "iptable_filter",
  "nf_tables",
  "xt_comment",
  "vxlan",
];

const load = (): Changes => JSON.parse(readIfThere(file) ?? '{"bridges":{},"sysctls":{},"modules":[]}') as Changes;
const save = (changes: Changes): void => writeAtomically(file, JSON.stringify(changes, null, 2) + "\n", 0o600);

const sysctlPath = (key: string): string => path.join("/proc/sys", ...key.split("."));

/** Whether this computer has a way out; without one there is nothing to translate addresses for. */
export function hasDefaultRoute(): boolean {
  return run("ip", "-4", "route", "show", "default").trim() !== "";
}

/** Mark of a link: undefined when there is no such link, empty when it has no mark. */
export function linkMark(link: string): string | undefined {
  if (!fs.existsSync(`/sys/class/net/${link}`)) return undefined;
  return readIfThere(`/sys/class/net/${link}/ifalias`)?.trim() ?? "";
}

function bridgeRules(spec: Uplink): string[][] {
  if (!hasDefaultRoute()) return [];
  const network = `${spec.gateway}/${spec.prefix}`;
  const comment = ["-m", "comment", "--comment", `groundwork ${spec.bridge}`];
  return [
    ["nat", "POSTROUTING", "-s", network, "!", "-o", spec.bridge, ...comment, "-j", "MASQUERADE"],
    // A container engine on this computer sets the policy of FORWARD to DROP.
    ["filter", "FORWARD", "-i", spec.bridge, ...comment, "-j", "ACCEPT"],
    ["filter", "FORWARD", "-o", spec.bridge, ...comment, "-j", "ACCEPT"],
  ];
}

const iptables = (verb: string, [table, ...rule]: string[]): string[] => ["-w", "-t", table!, verb, ...rule];

/** Makes what a machine needs of this computer: kernel settings, modules, the bridge and its rules. Can be repeated. */
export async function acquire(spec: Uplink, id: string): Promise<void> {
  await withLock("computer", () => {
    const changes = load();
    // Each change is recorded before it is made, so that a death in between leaves no change without its record.
    const change = (work: () => void): void => {
      save(changes);
      work();
    };
    for (const module of modules) {
      if (fs.existsSync(`/sys/module/${module}`) || changes.modules.includes(module)) continue;
      // A kernel without modules has it built in or not at all; preflight tells of what is missing.
      if (!succeeds("modprobe", "-qn", module)) continue;
      changes.modules.push(module);
      change(() => void succeeds("modprobe", "-q", module));
    }
    for (const [key, wanted] of wantedSysctls()) {
      const current = readIfThere(sysctlPath(key))?.trim();
      if (current === undefined || current === wanted) continue;
      changes.sysctls[key] ??= current;
      change(() => fs.writeFileSync(sysctlPath(key), wanted));
    }
    const bridge = (changes.bridges[spec.bridge] ??= { rules: [], machines: [] });
    if (!bridge.machines.includes(id)) bridge.machines.push(id);
    change(() => makeBridge(spec));
    const rules = bridgeRules(spec);
    if (rules.length > 0) changes.tables ??= ["nat", "filter"].filter((table) => !tablesInUse().includes(table));
    for (const rule of rules) {
      if (!bridge.rules.some((known) => known.join(" ") === rule.join(" "))) bridge.rules.push(rule);
      change(() => {
        if (!succeeds("iptables", ...iptables("-C", rule))) run("iptables", ...iptables("-A", rule));
      });
    }
  });
}

const tablesInUse = (): string[] => [...run("iptables-save").matchAll(/^\*(\w+)$/gm)].map((found) => found[1]!);

function wantedSysctls(): [string, string][] {
  const wanted = Object.entries(exact);
  for (const [key, least] of Object.entries(atLeast)) {
    if (Number(readIfThere(sysctlPath(key)) ?? least) < least) wanted.push([key, String(least)]);
  }
  if (hasDefaultRoute()) wanted.push(["net.ipv4.ip_forward", "1"]);
  return wanted;
}

function makeBridge(spec: Uplink): void {
  const mark = linkMark(spec.bridge);
  if (mark === undefined) run("ip", "link", "add", spec.bridge, "type", "bridge");
  else if (mark !== bridgeMark && !isBlankBridge(spec.bridge)) {
    throw new MachineError(`the link ${spec.bridge} exists and is not ours: choose another target.network.bridge`);
  }
  run("ip", "link", "set", spec.bridge, "alias", bridgeMark);
  run("ip", "addr", "replace", `${spec.gateway}/${spec.prefix}`, "dev", spec.bridge);
  run("ip", "link", "set", spec.bridge, "up");
}

/** Removes what nspawn leaves below /run when it is killed. Not while a machine of someone else's runs: its lock is there too. */
function tidyRunFolder(): void {
  const running = fs
    .readdirSync("/proc")
    .some((pid) => readIfThere(`/proc/${pid}/comm`)?.trim() === "systemd-nspawn" && isRunning(Number(pid)));
  if (running) return;
  const folder = "/run/systemd/nspawn";
  fs.rmSync(path.join(folder, "locks"), { recursive: true, force: true });
  // rmdir spares the ones in which something lies.
  for (const empty of [path.join(folder, "propagate"), folder]) succeeds("rmdir", empty);
}

/** An unmarked bridge without ports and addresses is one that a killed run of ours made a moment ago. */
export function isBlankBridge(link: string): boolean {
  const ports = `/sys/class/net/${link}/brif`;
  return (
    fs.existsSync(ports) && fs.readdirSync(ports).length === 0 && !run("ip", "addr", "show", link).includes("inet")
  );
}

/** Gives back what a machine held; the last one on a bridge takes the bridge with it, the last of all the rest. */
export async function release(bridgeName: string, id: string): Promise<void> {
  await withLock("computer", () => {
    const changes = load();
    const bridge = changes.bridges[bridgeName];
    if (bridge) {
      bridge.machines = bridge.machines.filter((machine) => machine !== id);
      if (bridge.machines.length === 0) {
        for (const rule of bridge.rules) succeeds("iptables", ...iptables("-D", rule));
        if (linkMark(bridgeName) === bridgeMark) run("ip", "link", "del", bridgeName);
        delete changes.bridges[bridgeName];
      }
      save(changes);
    }
    if (Object.keys(changes.bridges).length > 0) return;
    for (const [key, value] of Object.entries(changes.sysctls)) fs.writeFileSync(sysctlPath(key), value);
    // What iptables-nft makes for a first rule stays behind empty; the legacy variant has no such tables to delete.
    for (const table of changes.tables ?? []) {
      if (!/^-A/m.test(run("iptables-save", "-t", table))) succeeds("nft", "delete", "table", "ip", table);
    }
    for (const module of [...changes.modules].reverse()) succeeds("modprobe", "-qr", module);
    tidyRunFolder();
    fs.rmSync(path.dirname(file), { recursive: true, force: true });
  });
}
