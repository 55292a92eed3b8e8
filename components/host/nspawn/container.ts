import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { groupName, groups, killAll, scopeCommand } from "./cgroups";
import { isRunning, poll, readIfThere, signal, succeeds } from "./process";
import { layout } from "./store";

/** Where a container keeps what it is made of; {@link layout} is that of a stack's machines. */
export type Place = Pick<ReturnType<typeof layout>, "pid" | "log" | "root" | "upper" | "work" | "volumes">;

/** The name that nspawn knows the machine by; also how its processes are told from others. */
export const nspawnName = (id: string): string => `gw-${id.replace("/", "-")}`;

/** This computer's end of the machine's network, as nspawn calls it. */
const linkOf = (id: string): string => `vb-${nspawnName(id)}`;

/** Process id of the machine's nspawn, or undefined when it does not run. */
export function supervisor(id: string, place: Place = layout(id)): number | undefined {
  const pid = Number(readIfThere(place.pid) ?? 0);
  if (pid <= 0 || !isRunning(pid)) return undefined;
  // The number may have gone to another process since; the machine's name in its cgroups or arguments can't. Arguments
  // alone would not do: they read as empty for a moment while a process becomes another program.
  const marks = `${readIfThere(`/proc/${pid}/cgroup`)}${readIfThere(`/proc/${pid}/cmdline`)}`;
  return marks.includes(nspawnName(id)) || marks.includes(groupName(id)) ? pid : undefined;
}

/** Process id, on this computer, of the machine's systemd. */
export function leader(id: string, place: Place = layout(id)): number | undefined {
  const pid = supervisor(id, place);
  const child = pid && readIfThere(`/proc/${pid}/task/${pid}/children`)?.trim().split(" ")[0];
  return child ? Number(child) : undefined;
}

/** How a container is started. */
export interface ContainerSpec {
  hostname: string;
  /** Folders that it is laid on, the uppermost first; none is written to. */
  lowers: string[];
  /** nspawn's arguments for the network. */
  network: string[];
  /** nspawn's arguments for what of this computer is seen inside, besides the place's volumes. */
  binds: string[];
  /** Bytes, and processors; no limit when missing. */
  limits: { memory?: number; cpus?: number };
  /**
   * Where nspawn's exit code is left when the machine ends by itself: {@link restartCode} when it wants to be started again.
   * @default it is started again at once
   */
  exitFile?: string;
}

/** What nspawn ends with when the machine was told, inside, to restart (systemd-nspawn(1), `--keep-unit`). */
export const restartCode = 133;

/** Makes the folders that a container is started from. */
export function makeFolders(place: Place): void {
  for (const folder of [place.root, place.upper, place.work, ...Object.values(place.volumes)]) {
    fs.mkdirSync(folder, { recursive: true, mode: 0o755 });
  }
}

/** Starts the container; its folders are there, and nothing of an earlier start is. Returns when its nspawn runs or has failed. */
export async function startContainer(id: string, place: Place, spec: ContainerSpec): Promise<void> {
  const nspawn = [
    ...["systemd-nspawn", "--quiet", "--boot", "--directory", place.root],
    ...["--machine", nspawnName(id), "--hostname", spec.hostname, ...spec.network],
    // There may be no systemd on this computer to register with; where there is one, the scope is made before.
    ...["--register=no", "--keep-unit", "--console=read-only", "--link-journal=no"],
    ...["--resolv-conf=off", "--timezone=off", "--kill-signal=SIGRTMIN+4"],
    // A kubelet and containerd need what a container normally lacks: mounts, BPF device rules, keyrings, the kernel log.
    ...["--capability=all", "--private-users=no", "--system-call-filter=add_key keyctl bpf @mount", "--bind=/dev/kmsg"],
    ...Object.entries(place.volumes).map(([inside, outside]) => `--bind=${outside}:${inside}`),
    ...spec.binds,
  ];
  // The overlay is mounted in a mount namespace of its own: it goes away with the machine, however that ends. What is
  // unmounted on this computer meanwhile goes there, too, so that no machine holds on to it.
  const script = `
    for group in $GROUPS_TO_JOIN; do echo $$ > "$group/cgroup.procs"; done
    echo $$ > "$PID_FILE"
    exec "$@"`;
  const once = `"$@" & echo $! > "$PID_FILE"; wait $! && code=0 || code=$?`;
  const andRun = spec.exitFile
    ? `${once}; echo $code > "$EXIT_FILE"`
    : `while :; do
  ${once}
  [ $code = ${restartCode} ] || exit $code
  # As in removeLink: the kernel takes the machine's end of the network away some time after its last process.
  tries=100
  while [ $tries -gt 0 ] && ip link show "$LINK" > /dev/null 2>&1; do
    ip link del "$LINK" 2> /dev/null || sleep 0.1
    tries=$((tries - 1))
  done
done`;
  const mountAndRun = `mount -t overlay -o "lowerdir=$LOWER,upperdir=$UPPER,workdir=$WORK" ${nspawnName(id)} "$ROOT"\n${andRun}`;
  const log = fs.openSync(place.log, "w", 0o600);
  const child = spawn(
    "sh",
    [
      ...["-ec", script, nspawnName(id), ...scopeCommand(id, spec.limits)],
      ...["unshare", "--mount", "--propagation", "slave", "sh", "-ec", mountAndRun, nspawnName(id), ...nspawn],
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
        LINK: linkOf(id),
        ...(spec.exitFile ? { EXIT_FILE: spec.exitFile } : {}),
        LOWER: spec.lowers.join(":"),
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
  await poll(5000, 20, () => supervisor(id, place) !== undefined || child.exitCode !== null);
}

/**
 * Removes this computer's end of the machine's network. The kernel does that itself some time after a network namespace's last
 * process, but a machine that is started meanwhile would find its name taken. A name that is too long for a link is nspawn's
 * to shorten, and then stands as the link's alternative name.
 */
export async function removeLink(id: string): Promise<void> {
  const link = linkOf(id);
  await poll(10_000, 100, () => !succeeds("ip", "link", "show", link) || (succeeds("ip", "link", "del", link), false));
}

/** Removes the propagation folder, which a killed nspawn leaves. */
export function removeRunFolder(id: string): void {
  fs.rmSync(`/run/systemd/nspawn/propagate/${nspawnName(id)}`, { recursive: true, force: true });
}

/** Shuts the machine down; kills it when that takes longer than `limit` milliseconds. */
export async function stopContainer(id: string, limit: number, place: Place = layout(id)): Promise<void> {
  const pid = supervisor(id, place);
  if (pid !== undefined) {
    signal(pid, "SIGTERM");
    const gone = await poll(limit, 50, () => !isRunning(pid));
    if (!gone) signal(pid, "SIGKILL");
  }
  await killAll(id);
}

/** Ends the machine as a power cut would. */
export async function killContainer(id: string, place: Place = layout(id)): Promise<void> {
  const pid = supervisor(id, place);
  if (pid !== undefined) signal(pid, "SIGKILL");
  await killAll(id);
}
