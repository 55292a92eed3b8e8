import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { cacheDir } from "../../../cli/paths";
import { acquire, hasDefaultRoute, release } from "./changes";
import { groupName, groups, killAll, makeGroups, processesOf, removeGroups, scopeCommand } from "./cgroups";
import { isRunning, MachineError, poll, readIfThere, signal, sshBanner, succeeds, withLock } from "./process";
import type { MachineSpec } from "./plan";
import { seed } from "./seed";
import { layout, machineId, readRecord, removeFolder, unpackedRootfs, writeRecord } from "./store";

/** Where the artefact cache is seen inside. */
export const artifactMount = "/var/lib/groundwork/artifacts";

/** Milliseconds: a start takes 2 to 8 s, on a busy computer several times that. */
const startLimit = 120_000;
/** Milliseconds that a machine has for its own shutdown, before it is killed. */
const stopLimit = 15_000;
/** The same for one that is taken away: none of its files is wanted any more, and pods take long to end. */
const removeLimit = 5_000;

/** The name that nspawn knows the machine by; also how its processes are told from others. */
const nspawnName = (id: string): string => `gw-${id.replace("/", "-")}`;

/** Process id of the machine's nspawn, or undefined when it does not run. */
export function supervisor(id: string): number | undefined {
  const pid = Number(readIfThere(layout(id).pid) ?? 0);
  if (pid <= 0 || !isRunning(pid)) return undefined;
  // The number may have gone to another process since; the machine's name in its cgroups or arguments can't. Arguments
  // alone would not do: they read as empty for a moment while a process becomes another program.
  const marks = `${readIfThere(`/proc/${pid}/cgroup`)}${readIfThere(`/proc/${pid}/cmdline`)}`;
  return marks.includes(nspawnName(id)) || marks.includes(groupName(id)) ? pid : undefined;
}

/** Process id, on this computer, of the machine's systemd. */
export function leader(id: string): number | undefined {
  const pid = supervisor(id);
  const child = pid && readIfThere(`/proc/${pid}/task/${pid}/children`)?.trim().split(" ")[0];
  return child ? Number(child) : undefined;
}

/** What has to be as it was for a running machine to be left alone. */
const fixed = (spec: MachineSpec): string =>
  JSON.stringify([spec.address, spec.prefix, spec.gateway, spec.bridge, spec.publicKey.trim()]);

/** A machine that is up: what the graph goes on with. */
export interface ReadyMachine {
  name: string;
  address: string;
  /** Its host public key, `ssh-ed25519 AAAA...`. */
  hostKey: string;
}

/**
 * Makes the machine, or repairs it: whatever an earlier run left half-made or dead is completed or started
 * again. A machine that runs as wanted is not touched.
 */
export function ensure(wanted: MachineSpec): Promise<ReadyMachine> {
  const id = machineId(wanted);
  return withLock(id, async () => {
    const known = readRecord(id);
    // A machine keeps the root filesystem that it was made from: another one below it would break its upper layer.
    const spec = known ? { ...wanted, rootfs: known.rootfs, rootfsDigest: known.rootfsDigest } : wanted;
    if (known && fixed(known) !== fixed(spec)) {
      await stop(id, stopLimit);
      if (known.bridge !== spec.bridge) await release(known.bridge, id);
    }
    writeRecord(id, spec);
    await acquire(spec, id);
    makeGroups(id, spec);
    if (!supervisor(id)) await start(id, spec);
    return { name: spec.name, address: spec.address, hostKey: await untilReady(id, spec) };
  });
}

/**
 * Removes this computer's end of the machine's network. The kernel does that itself some time after a network namespace's last
 * process, but a machine that is started meanwhile would find its name taken. A name that is too long for a link is nspawn's
 * to shorten, and then stands as the link's alternative name.
 */
async function removeLink(id: string): Promise<void> {
  const link = `vb-${nspawnName(id)}`;
  await poll(10_000, 100, () => !succeeds("ip", "link", "show", link) || (succeeds("ip", "link", "del", link), false));
}

async function start(id: string, spec: MachineSpec): Promise<void> {
  // Left over when only nspawn itself was killed, or a moment ago.
  await killAll(id);
  await removeLink(id);
  const place = layout(id);
  const lower = await unpackedRootfs(spec);
  for (const folder of [place.root, place.upper, place.work, ...Object.values(place.volumes)]) {
    fs.mkdirSync(folder, { recursive: true, mode: 0o755 });
  }
  seed(place.upper, spec, hasDefaultRoute());
  const nspawn = [
    ...["systemd-nspawn", "--quiet", "--boot", "--directory", place.root],
    ...["--machine", nspawnName(id), "--hostname", spec.name, "--network-bridge", spec.bridge],
    // There may be no systemd on this computer to register with; where there is one, the scope is made before.
    ...["--register=no", "--keep-unit", "--console=read-only", "--link-journal=no"],
    ...["--resolv-conf=off", "--timezone=off", "--kill-signal=SIGRTMIN+4"],
    // A kubelet and containerd need what a container normally lacks: mounts, BPF device rules, keyrings, the kernel log.
    ...["--capability=all", "--private-users=no", "--system-call-filter=add_key keyctl bpf @mount", "--bind=/dev/kmsg"],
    ...Object.entries(place.volumes).map(([inside, outside]) => `--bind=${outside}:${inside}`),
    `--bind-ro=${cacheDir()}:${artifactMount}`,
  ];
  // The overlay is mounted in a mount namespace of its own: it goes away with the machine, however that ends.
  const script = `
    for group in $GROUPS_TO_JOIN; do echo $$ > "$group/cgroup.procs"; done
    echo $$ > "$PID_FILE"
    exec "$@"`;
  const mountAndRun = `mount -t overlay -o "lowerdir=$LOWER,upperdir=$UPPER,workdir=$WORK" ${nspawnName(id)} "$ROOT" && exec "$@"`;
  const log = fs.openSync(place.log, "w", 0o600);
  const child = spawn(
    "sh",
    [
      ...["-ec", script, nspawnName(id), ...scopeCommand(id, spec)],
      ...["unshare", "--mount", "--propagation", "private", "sh", "-ec", mountAndRun, nspawnName(id), ...nspawn],
    ],
    {
      detached: true,
      stdio: ["ignore", log, log],
      env: {
        PATH: process.env["PATH"],
        GROUPS_TO_JOIN: groups(id)
          .filter((group) => fs.existsSync(group))
          .join(" "),
        PID_FILE: place.pid,
        LOWER: lower,
        UPPER: place.upper,
        WORK: place.work,
        ROOT: place.root,
        // Opens /proc/sys/net. The value 1 would open /sys as well, and units would wait for a udev that isn't there.
        SYSTEMD_NSPAWN_API_VFS_WRITABLE: "network",
      },
    },
  );
  child.unref();
  fs.closeSync(log);
  await poll(5000, 20, () => supervisor(id) !== undefined || child.exitCode !== null);
}

/** Waits for the machine's SSH server and gives its host key. */
async function untilReady(id: string, spec: MachineSpec): Promise<string> {
  const place = layout(id);
  let missed = 0;
  const answer = await poll(startLimit, 100, async () => {
    missed = supervisor(id) === undefined ? missed + 1 : 0;
    // Not at the first miss: on cgroup v2 the marks of a process that becomes another program are gone for a moment.
    return missed >= 3 ? "dead" : sshBanner(spec.address);
  });
  const hostKey = readIfThere(`${place.upper}/etc/ssh/ssh_host_ed25519_key.pub`)?.split(" ").slice(0, 2).join(" ");
  if (answer?.startsWith("SSH-") && hostKey) return hostKey.trim();
  const tail = (readIfThere(place.log) ?? "").trimEnd().split("\n").slice(-15).join("\n");
  const what =
    answer === "dead"
      ? "stopped while it started"
      : `has no SSH server at ${spec.address} after ${startLimit / 1000} s`;
  throw new MachineError(`machine ${id} ${what}; the end of ${place.log}:\n${tail}`);
}

/** Shuts the machine down; kills it when that takes too long. */
async function stop(id: string, limit: number): Promise<void> {
  const pid = supervisor(id);
  if (pid !== undefined) {
    signal(pid, "SIGTERM");
    const gone = await poll(limit, 50, () => !isRunning(pid));
    if (!gone) signal(pid, "SIGKILL");
  }
  await killAll(id);
}

/** Takes the machine away with everything that was made for it. Without such a machine it does nothing. */
export function remove(of: { stack: string; name: string; bridge: string }): Promise<void> {
  const id = machineId(of);
  return withLock(id, async () => {
    await stop(id, removeLimit);
    await removeGroups(id);
    await removeLink(id);
    // Its propagation folder, which a killed nspawn leaves.
    fs.rmSync(`/run/systemd/nspawn/propagate/${nspawnName(id)}`, { recursive: true, force: true });
    await release(readRecord(id)?.bridge ?? of.bridge, id);
    removeFolder(id);
  });
}

/** Ends the machine as a power cut would. */
export async function kill(id: string): Promise<void> {
  const pid = supervisor(id);
  if (pid !== undefined) signal(pid, "SIGKILL");
  await killAll(id);
}

/** What `ls` tells of a machine. */
export function describe(id: string) {
  const spec = readRecord(id);
  return {
    id,
    address: spec?.address,
    bridge: spec?.bridge,
    running: supervisor(id) !== undefined,
    /** Process id of its nspawn, while it runs. */
    pid: supervisor(id),
    processes: processesOf(id).length,
    log: layout(id).log,
  };
}
