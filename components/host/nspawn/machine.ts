import { cacheDir } from "../../../cli/paths";
import { acquire, hasDefaultRoute, release } from "./changes";
import { killAll, makeGroups, processesOf, removeGroups } from "./cgroups";
import {
  killContainer,
  makeFolders,
  removeLink,
  removeRunFolder,
  startContainer,
  stopContainer,
  supervisor,
} from "./container";
import { MachineError, poll, readIfThere, sshBanner, withLock } from "./process";
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
      await stopContainer(id, stopLimit);
      if (known.bridge !== spec.bridge) await release(known.bridge, id);
    }
    writeRecord(id, spec);
    await acquire(spec, id);
    makeGroups(id, spec);
    if (!supervisor(id)) await start(id, spec);
    return { name: spec.name, address: spec.address, hostKey: await untilReady(id, spec) };
  });
}

async function start(id: string, spec: MachineSpec): Promise<void> {
  // Left over when only nspawn itself was killed, or a moment ago.
  await killAll(id);
  await removeLink(id);
  const place = layout(id);
  const lower = await unpackedRootfs(spec);
  makeFolders(place);
  seed(place.upper, spec, hasDefaultRoute());
  await startContainer(id, place, {
    hostname: spec.name,
    lowers: [lower],
    network: ["--network-bridge", spec.bridge],
    binds: [`--bind-ro=${cacheDir()}:${artifactMount}`],
    limits: spec,
  });
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

/** Takes the machine away with everything that was made for it. Without such a machine it does nothing. */
export function remove(of: { stack: string; name: string; bridge: string }): Promise<void> {
  const id = machineId(of);
  return withLock(id, async () => {
    await stopContainer(id, removeLimit);
    await removeGroups(id);
    await removeLink(id);
    removeRunFolder(id);
    await release(readRecord(id)?.bridge ?? of.bridge, id);
    removeFolder(id);
  });
}

/** Ends the machine as a power cut would. */
export const kill = (id: string): Promise<void> => killContainer(id);

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
