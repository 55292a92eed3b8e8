import { execFileSync } from "node:child_process";
import * as fs from "node:fs";

/** What a run may leave behind on the machine that it ran on, as comparable lines. */
export interface MachineSnapshot {
  processes: string[];
  mounts: string[];
  links: string[];
  rules: string[];
  cgroups: string[];
  namespaces: string[];
}

const lines = (text: string): string[] => text.split("\n").filter(Boolean);

function output(command: string, args: string[]): string {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return ""; // the tool is not there, so neither is what it would list
  }
}

/** Command lines of all processes but kernel threads and the caller's own family. */
function processes(): string[] {
  return fs
    .readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const command = fs.readFileSync(`/proc/${pid}/cmdline`, "latin1").replace(/\0/g, " ").trim();
        const state = / ([A-Z]) /.exec(fs.readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\)/, ""))?.[1];
        return command && state !== "Z" ? [command] : [];
      } catch {
        return []; // it ended while we looked
      }
    });
}

function cgroups(): string[] {
  const found: string[] = [];
  const walk = (folder: string, depth: number) => {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      found.push(`${folder}/${entry.name}`);
      if (depth > 0) walk(`${folder}/${entry.name}`, depth - 1);
    }
  };
  walk("/sys/fs/cgroup", 2);
  return found;
}

/** Takes a snapshot. Counters are left out of the firewall rules, for traffic changes them. */
export function snapshot(): MachineSnapshot {
  const rules = ["iptables-save", "ip6tables-save"].flatMap((tool) =>
    lines(output(tool, []))
      .filter((line) => !line.startsWith("#"))
      .map((line) => `${tool}: ${line.replace(/\[\d+:\d+\]/, "")}`),
  );
  return {
    processes: processes(),
    mounts: lines(fs.readFileSync("/proc/mounts", "utf8"))
      .map((line) => line.split(" ").slice(0, 3).join(" "))
      // iproute2 mounts this folder onto itself for the first network namespace that anybody makes, and never takes it back.
      .filter((mount) => !mount.includes(" /run/netns ")),
    links: lines(output("ip", ["-o", "link"])).map((line) => line.split(": ")[1] ?? line),
    rules,
    cgroups: cgroups(),
    namespaces: lines(output("ip", ["netns", "list"])),
  };
}

/** What `after` has and `before` had not, by kind; empty when nothing was left. */
export function leftBehind(before: MachineSnapshot, after: MachineSnapshot, ours: RegExp): Record<string, string[]> {
  const left: Record<string, string[]> = {};
  for (const kind of Object.keys(before) as (keyof MachineSnapshot)[]) {
    const known = new Set(before[kind]);
    // Other programs of the machine start processes too: of those, only what bears our marks counts.
    const added = after[kind].filter((line) => !known.has(line) && (kind !== "processes" || ours.test(line)));
    if (added.length) left[kind] = added;
  }
  return left;
}
