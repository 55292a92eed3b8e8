import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { MachineError, readIfThere, run, succeeds } from "../../../components/host/nspawn/process";

const folder = "/run/netns";

/** Path by which nspawn and nsenter join a namespace. */
export const namespacePath = (name: string): string => `${folder}/${name}`;

export const hasNamespace = (name: string): boolean => fs.existsSync(namespacePath(name));

/** Makes a network namespace with a loopback that is up and nothing else; one that is there is left as it is. */
export function makeNamespace(name: string): void {
  if (hasNamespace(name)) return;
  run("ip", "netns", "add", name);
  // A new one has the settings of this computer's, on which other machines may have switched forwarding on.
  setKernel(name, { "net.ipv4.ip_forward": "0", "net.ipv6.conf.all.forwarding": "0" });
  ip(name, ["link set lo up"]);
}

/** Names of the namespaces that begin with the mark. */
export const listNamespaces = (mark: string): string[] =>
  fs.existsSync(folder) ? fs.readdirSync(folder).filter((name) => name.startsWith(`${mark}-`)) : [];

/** Removes a namespace with its links. Whatever process is still in it keeps it alive, but without a way out. */
export function removeNamespace(name: string): void {
  if (!hasNamespace(name)) return;
  if (succeeds("ip", "-n", name, "link")) {
    const links = run("ip", "-n", name, "-o", "link", "show", "type", "veth").matchAll(/^\d+: ([^:@]+)/gm);
    for (const [, link] of links) succeeds("ip", "-n", name, "link", "del", link!);
    run("ip", "netns", "del", name);
  } else {
    // ip was killed between making the file and mounting the namespace on it.
    fs.rmSync(namespacePath(name), { force: true });
  }
  tidy();
}

/** `ip netns add` leaves a mount of the folder on itself behind; the last namespace takes it along. */
function tidy(): void {
  if (fs.readdirSync(folder).length > 0) return;
  if ((readIfThere("/proc/self/mounts") ?? "").includes(` ${folder} `)) succeeds("umount", folder);
  succeeds("rmdir", folder);
}

/** Runs a command with its input and gives its output; fails with the command's own words. */
export function feed(input: string, command: string, ...args: string[]): string {
  try {
    return execFileSync(command, args, { encoding: "utf8", input, stdio: ["pipe", "pipe", "pipe"] });
  } catch (error) {
    const failed = error as { stderr?: string; message: string; code?: string };
    if (failed.code === "ENOENT") throw new MachineError(`${command} is not installed`);
    throw new MachineError(`${command} ${args.join(" ")}: ${failed.stderr?.trim() || failed.message}\n${input}`);
  }
}

/** Runs lines of ip(8) inside the namespace, all by one process. */
export const ip = (namespace: string, lines: string[]): string =>
  lines.length > 0 ? feed(lines.join("\n") + "\n", "ip", "-n", namespace, "-batch", "-") : "";

/** Sets kernel settings of the namespace. */
export function setKernel(namespace: string, settings: Record<string, string>): void {
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
  // Not by their dots: a link's name may hold one.
  run("nsenter", `--net=${namespacePath(namespace)}`, "sysctl", "-qw", ...lines);
}

export const hasLink = (namespace: string, link: string): boolean =>
  succeeds("ip", "-n", namespace, "link", "show", "dev", link);

/** A link of the namespace with what was written into its alias. */
export interface Link {
  ifname: string;
  ifalias?: string;
}

export const links = (namespace: string): Link[] =>
  JSON.parse(run("ip", "-n", namespace, "-j", "link", "show")) as Link[];
