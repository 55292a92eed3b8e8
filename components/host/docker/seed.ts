import { randomBytes } from "node:crypto";
import { pack } from "tar-stream";
import { makeHostKey, masked, startUnit } from "../nspawn/seed";
import { sshdDropIn, sshdFile } from "../sshd";
import { kubeletSysctls, networkSysctlFile } from "../sysctl";
import { journaldFile, journaldText } from "../system";
import type { ContainerSpec } from "./plan";

/** Volume, shared by all machines of the engine, that keeps what the kernel's settings were before the first one. */
export const kernelVolume = "groundwork-kernel";
export const kernelFolder = "/var/lib/groundwork/kernel";

/** What a kubelet demands of the kernel, which all containers of the engine share. */
const exact: Record<string, string> = {
  ...kubeletSysctls,
  "kernel.keys.root_maxkeys": "1000000",
  "kernel.keys.root_maxbytes": "25000000",
};
/** Each kubelet takes some hundred of the first. */
const atLeast: Record<string, string> = {
  "fs.inotify.max_user_instances": "8192",
  "fs.inotify.max_user_watches": "524288",
};

/** What K3s and its networking load on demand: a container has no modules of its own, but may ask for the computer's. */
const modules = [
  "overlay",
  "br_netfilter",
  "nf_conntrack",
  "ip_tables",
  "iptable_nat",
  "nf_tables",
  "xt_comment",
  "vxlan",
];

/**
 * Runs inside at each start, before sshd. The host key is made here, so that its private half never leaves the machine. The
 * engine writes /etc/resolv.conf anew at each start, and names a server in it that only the machine itself could ask, no pod.
 */
const startScript = `#!/bin/sh
set -eu
mount --make-rshared /
cat /usr/local/lib/groundwork/resolv.conf > /etc/resolv.conf
for module in ${modules.join(" ")}; do modprobe -q "$module" 2> /dev/null || true; done
setting() { # KEY VALUE: keeps what was there before the first machine of this engine
  file=/proc/sys/$(echo "$1" | tr . /)
  [ -e "$file" ] && [ "$(cat "$file")" != "$2" ] || return 0
  [ -e "${kernelFolder}/$1" ] || { cat "$file" > "${kernelFolder}/.$1" && mv "${kernelFolder}/.$1" "${kernelFolder}/$1"; }
  echo "$2" > "$file" || true
}
${Object.entries(exact)
  .map(([key, value]) => `setting ${key} ${value}\n`)
  .join("")}${Object.entries(atLeast)
  .map(([key, value]) => `[ "$(cat /proc/sys/${key.replace(/\./g, "/")})" -ge ${value} ] || setting ${key} ${value}\n`)
  .join("")}echo 1 > /proc/sys/net/ipv4/ip_forward
${makeHostKey}`;

/** Shell that gives the kernel's settings back, for a container that has the volume. */
export const restoreKernel = `for file in ${kernelFolder}/*; do
  [ -e "$file" ] || continue
  cat "$file" > /proc/sys/$(basename "$file" | tr . /) || true
done`;

/**
 * What a privileged container must not do, since its devices and its kernel are the computer's: settle devices, load modules,
 * set what sysctl.d says of the whole kernel. Of the latter only the network's part is the machine's own.
 */
const alsoMasked = [
  "systemd-firstboot.service",
  "systemd-modules-load.service",
  "systemd-udevd.service",
  "systemd-udev-trigger.service",
  "dev-hugepages.mount",
  "proc-sys-fs-binfmt_misc.automount",
  "sys-kernel-config.mount",
  "sys-kernel-debug.mount",
  "sys-kernel-tracing.mount",
];
const sysctlUnit = `[Service]
ExecStart=
ExecStart=-/lib/systemd/systemd-sysctl ${networkSysctlFile}
`;

/** A file, or a link when it has a target. */
interface Entry {
  mode?: number;
  content?: string;
  target?: string;
}

/** Everything that makes the root filesystem into this machine, by path. */
export function seedEntries(spec: ContainerSpec, resolvers: string): Record<string, Entry> {
  const links = [...masked, ...alsoMasked].map((unit) => [`/etc/systemd/system/${unit}`, { target: "/dev/null" }]);
  return {
    ...(Object.fromEntries(links) as Record<string, Entry>),
    "/etc/systemd/system.conf.d/10-groundwork.conf": { content: "[Manager]\nDefaultTimeoutStopSec=10s\n" },
    "/etc/systemd/system/groundwork-start.service": { content: startUnit },
    "/etc/systemd/system/sysinit.target.wants/groundwork-start.service": { target: "../groundwork-start.service" },
    "/etc/systemd/system/systemd-sysctl.service.d/10-groundwork.conf": { content: sysctlUnit },
    [journaldFile]: { content: journaldText },
    [sshdFile]: { content: sshdDropIn() },
    "/root/.ssh/authorized_keys": { content: `${spec.publicKey.trim()}\n`, mode: 0o600 },
    "/usr/local/lib/groundwork/resolv.conf": { content: resolvers },
    "/usr/local/lib/groundwork/start": { content: startScript, mode: 0o755 },
  };
}

/** The entries as a tar archive, for `docker cp`. */
export function seedArchive(spec: ContainerSpec, resolvers: string, isNew: boolean) {
  const archive = pack();
  archive.entry({ name: "root/.ssh", type: "directory", mode: 0o700 });
  for (const [file, { content, target, mode }] of Object.entries(seedEntries(spec, resolvers))) {
    const name = file.slice(1);
    if (target !== undefined) archive.entry({ name, type: "symlink", linkname: target });
    else archive.entry({ name, mode: mode ?? 0o644 }, content ?? "");
  }
  // Without it systemd would take every start for the first, and enable what the distribution presets.
  if (isNew) archive.entry({ name: "etc/machine-id", mode: 0o444 }, randomBytes(16).toString("hex") + "\n");
  archive.finalize();
  return archive;
}
