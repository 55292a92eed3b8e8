import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { sshdDropIn, sshdFile } from "../sshd";
import { journaldFile, journaldText } from "../system";
import { readIfThere } from "./process";
import type { MachineSpec } from "./plan";

/** Opens what the kernel gives a container read-only and a kubelet must write: controllers of cgroup v1. */
export const openControllers = `[ -f /sys/fs/cgroup/cgroup.controllers ] || for controller in blkio cpu cpuacct cpuset devices freezer memory pids; do
  [ ! -d /sys/fs/cgroup/$controller ] || mount -o remount,rw,bind /sys/fs/cgroup/$controller
done
`;

/** Makes the host key where there is none, inside, so that its private half never leaves the machine. */
export const makeHostKey = `[ -s /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -C "$(hostname)" -f /etc/ssh/ssh_host_ed25519_key
`;

/** Runs inside at each start, before sshd. */
function startScript(spec: MachineSpec): string {
  return `#!/bin/sh
set -eu
ip link set host0 up
ip address replace ${spec.address}/${spec.prefix} dev host0
# K3s finds its address by the default route, and needs one even where it leads nowhere (docs.k3s.io/installation/airgap).
ip route replace default via ${spec.gateway}
echo 1 > /proc/sys/net/ipv4/ip_forward
${openControllers}${makeHostKey}`;
}

/** The unit that runs `/usr/local/lib/groundwork/start`. */
export const startUnit = `[Unit]
Description=Network, cgroups and host key of this machine
DefaultDependencies=no
After=systemd-remount-fs.service local-fs.target
Before=network.target ssh.service sysinit.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/lib/groundwork/start

[Install]
WantedBy=sysinit.target
`;

/** Units that a container has no use for; each costs start-up time or memory, or waits for a device. */
export const masked = [
  "console-getty.service",
  "dpkg-db-backup.timer",
  "e2scrub_all.timer",
  "e2scrub_reap.service",
  "fstrim.timer",
  "getty.target",
  "systemd-logind.service",
  "systemd-networkd.service",
  "systemd-resolved.service",
  "systemd-timesyncd.service",
  "systemd-update-utmp.service",
  "systemd-update-utmp-runlevel.service",
];

/** This computer's name servers as a machine can use them: none when there is no way out. */
export function resolvers(online: boolean): string {
  if (!online) return "# no way out: names of the cluster only\n";
  const source = readIfThere("/run/systemd/resolve/resolv.conf") ?? readIfThere("/etc/resolv.conf") ?? "";
  return (
    (source.match(/^(nameserver|search) .*$/gm) ?? [])
      .filter((line) => !/nameserver (127\.|::1)/.test(line))
      .join("\n") + "\n"
  );
}

/** Path to content of every file that makes the root filesystem into this machine. */
export function seedFiles(spec: MachineSpec, online: boolean): Record<string, string> {
  return {
    "/etc/hostname": `${spec.name}\n`,
    "/etc/hosts": `127.0.0.1 localhost\n::1 localhost ip6-localhost\n${spec.address} ${spec.name}\n`,
    "/etc/resolv.conf": resolvers(online),
    [journaldFile]: journaldText,
    "/etc/systemd/system.conf.d/10-groundwork.conf": "[Manager]\nDefaultTimeoutStopSec=10s\n",
    "/etc/systemd/system/groundwork-start.service": startUnit,
    [sshdFile]: sshdDropIn(),
    "/root/.ssh/authorized_keys": `${spec.publicKey.trim()}\n`,
    "/usr/local/lib/groundwork/start": startScript(spec),
  };
}

const modes: Record<string, number> = { "/root/.ssh/authorized_keys": 0o600, "/usr/local/lib/groundwork/start": 0o755 };

/** Writes the machine's files into its upper layer. Only while it does not run: the kernel caches the layer. */
export function seed(upper: string, spec: MachineSpec, online: boolean): void {
  for (const [file, content] of Object.entries(seedFiles(spec, online))) layFile(upper, file, content, modes[file]);
  setUp(upper);
}

/** Writes a file into an upper layer; `mode` is 0644 when missing. */
export function layFile(upper: string, file: string, content: string | Buffer, mode = 0o644): void {
  const place = path.join(upper, file);
  fs.mkdirSync(path.dirname(place), { recursive: true });
  fs.rmSync(place, { force: true });
  fs.writeFileSync(place, content);
  // Not in writeFileSync: there the process's umask would have a say.
  fs.chmodSync(place, mode);
}

/** Makes a symbolic link in an upper layer. */
export function layLink(upper: string, file: string, target: string): void {
  fs.mkdirSync(path.dirname(path.join(upper, file)), { recursive: true });
  fs.rmSync(path.join(upper, file), { force: true });
  fs.symlinkSync(target, path.join(upper, file));
}

/** What every machine needs, whatever its files are: modes of root's folders, which units start, an identity. */
export function setUp(upper: string): void {
  fs.chmodSync(path.join(upper, "root"), 0o700);
  fs.chmodSync(path.join(upper, "root/.ssh"), 0o700);
  layLink(upper, "/etc/systemd/system/sysinit.target.wants/groundwork-start.service", "../groundwork-start.service");
  for (const unit of masked) layLink(upper, `/etc/systemd/system/${unit}`, "/dev/null");
  // Without it systemd would take every start for the first, and enable what the distribution presets.
  const id = path.join(upper, "etc/machine-id");
  if (!fs.existsSync(id)) fs.writeFileSync(id, randomBytes(16).toString("hex") + "\n", { mode: 0o444 });
}
