import * as fs from "node:fs";
import * as path from "node:path";
import { isRunning, poll, readIfThere, signal } from "./process";

const top = "/sys/fs/cgroup";

/** Whether the computer has cgroup v2 only; else each v1 controller is a tree of its own. */
export const isUnified = (): boolean => fs.existsSync(path.join(top, "cgroup.controllers"));

/** Whether systemd runs the computer and so owns its cgroups. */
const hasSystemd = (): boolean => fs.existsSync("/run/systemd/system");

/** Name of the machine's cgroup in every tree. */
export const groupName = (id: string): string => `groundwork-${id.replace("/", "-")}`;

/** The machine's own folder in every tree that this computer has. */
export function groups(id: string): string[] {
  if (isUnified()) return [path.join(top, hasSystemd() ? "machine.slice" : "", `${groupName(id)}.scope`)];
  return fs
    .readdirSync(top, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && fs.existsSync(path.join(top, entry.name, "cgroup.procs")))
    .map((entry) => path.join(top, entry.name, groupName(id)));
}

/**
 * Makes the machine's cgroups with its limits. Each machine gets its own part of every v1 controller: its cgroup
 * namespace starts there, so that the kubelets of two machines don't share (and delete) one `/kubepods`.
 * On cgroup v2 under systemd the scope is systemd's to make, see {@link scopeCommand}.
 */
export function makeGroups(id: string, limits: { memory?: number; cpus?: number }): string[] {
  if (isUnified() && hasSystemd()) return [];
  const made = groups(id);
  for (const group of made) {
    fs.mkdirSync(group, { recursive: true });
    const set = (file: string, value: string | number): void => fs.writeFileSync(path.join(group, file), String(value));
    const has = (file: string): boolean => fs.existsSync(path.join(group, file));
    if (isUnified()) {
      fs.writeFileSync(path.join(top, "cgroup.subtree_control"), "+cpu +memory +pids +cpuset +io");
      if (limits.memory) set("memory.max", limits.memory);
      if (limits.cpus) set("cpu.max", `${Math.round(limits.cpus * 100_000)} 100000`);
      continue;
    }
    if (has("cpuset.cpus")) {
      // A new cpuset is empty, and nothing can run in an empty one.
      for (const file of ["cpuset.cpus", "cpuset.mems"]) {
        set(file, fs.readFileSync(path.join(group, "..", file), "utf8"));
      }
      set("cgroup.clone_children", 1);
    }
    if (has("memory.limit_in_bytes") && limits.memory) set("memory.limit_in_bytes", limits.memory);
    if (has("cpu.cfs_quota_us") && limits.cpus) set("cpu.cfs_quota_us", Math.round(limits.cpus * 100_000));
  }
  return made;
}

/** The command in front of the machine's own where systemd must make its scope, delegated to the machine. */
export function scopeCommand(id: string, limits: { memory?: number; cpus?: number }): string[] {
  if (!isUnified() || !hasSystemd()) return [];
  const property = (name: string, value: string): string[] => ["--property", `${name}=${value}`];
  return [
    ...["systemd-run", "--scope", "--quiet", "--collect", "--slice=machine.slice", `--unit=${groupName(id)}.scope`],
    ...property("Delegate", "yes"),
    ...(limits.memory ? property("MemoryMax", String(limits.memory)) : []),
    ...(limits.cpus ? property("CPUQuota", `${Math.round(limits.cpus * 100)}%`) : []),
  ];
}

function below(group: string): string[] {
  if (!fs.existsSync(group)) return [];
  const found: string[] = [];
  for (const entry of fs.readdirSync(group, { withFileTypes: true })) {
    if (entry.isDirectory()) found.push(...below(path.join(group, entry.name)));
  }
  return [...found, group];
}

/** Processes that still run in the machine's cgroups. */
export function processesOf(id: string): number[] {
  const found = new Set<number>();
  for (const group of groups(id).flatMap(below)) {
    for (const line of (readIfThere(path.join(group, "cgroup.procs")) ?? "").split("\n")) {
      if (line && isRunning(Number(line))) found.add(Number(line));
    }
  }
  return [...found];
}

/** Ends what still runs in the machine's cgroups. */
export async function killAll(id: string): Promise<void> {
  await poll(10_000, 50, () => {
    const left = processesOf(id);
    for (const pid of left) signal(pid, "SIGKILL");
    return left.length === 0;
  });
}

/** Removes the machine's cgroups, deepest first. A group stays busy for a moment after its last process. */
export async function removeGroups(id: string): Promise<void> {
  await poll(10_000, 50, () => {
    for (const group of groups(id).flatMap(below)) {
      try {
        fs.rmdirSync(group);
      } catch {
        return false;
      }
    }
    return true;
  });
}
