import * as fs from "node:fs";
import * as path from "node:path";
import { MachineError, poll, run, succeeds } from "../../../components/host/nspawn/process";
import { leader } from "../../../components/host/nspawn/container";
import { CloudError, VolumeSpec } from "../backend";
import { machineName, placeOf } from "./servers";
import { folderOf, listObjects, readObject, needObject, removeObject, Site, writeObject } from "./site";

/** A volume as it is kept. Its data is a file that takes only the space that is written to. */
interface VolumeObject extends VolumeSpec {
  /** The server that it is attached to. */
  serverId?: number;
}

const bytes = (gigabytes: number): number => gigabytes * 2 ** 30;

const imageFile = (site: Site, id: number): string => path.join(folderOf(site, "volume", id), "data.img");

/** Its name in the machine, as udev gives it at Hetzner. */
const deviceName = (id: number): string => `scsi-0HC_Volume_${id}`;

/** Loop devices that hold the file. */
const loops = (file: string): string[] =>
  run("losetup", "--associated", file, "--noheadings", "--output", "NAME").split("\n").filter(Boolean);

const nodeOf = (site: Site, volume: number, serverId: number): string =>
  path.join(placeOf(site, serverId).disks, "by-id", deviceName(volume));

export function createVolume(site: Site, volume: VolumeSpec): void {
  const file = imageFile(site, volume.id);
  const known = readObject<VolumeObject>(site, "volume", volume.id);
  if (known) return;
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  fs.writeFileSync(file, "", { mode: 0o600 });
  fs.truncateSync(file, bytes(volume.size));
  if (volume.format !== undefined) makeFilesystem(volume.format, file);
  writeObject(site, "volume", volume.id, volume);
}

function makeFilesystem(format: "ext4" | "xfs", file: string): void {
  const command = `mkfs.${format}`;
  try {
    run(command, "-q", format === "ext4" ? "-F" : "-f", file);
  } catch (error) {
    if (!(error instanceof MachineError)) throw error;
    throw new CloudError("action_failed", `a volume of ${format} needs ${command} on this computer: ${error.message}`);
  }
}

/** Attaches a volume: its device appears in the machine at once, and stays over restarts. */
export async function attachVolume(site: Site, volume: VolumeSpec, serverId: number): Promise<{ linuxDevice: string }> {
  const known = needObject<VolumeObject>(site, "volume", volume.id);
  if (known.serverId !== undefined && known.serverId !== serverId) {
    throw new CloudError("volume_already_attached", `volume ${volume.id} is attached to server ${known.serverId}`);
  }
  // Recorded first: a death in between leaves a loop device that detaching finds.
  writeObject(site, "volume", volume.id, { ...known, serverId });
  const file = imageFile(site, volume.id);
  const loop = loops(file)[0] ?? run("losetup", "--find", "--show", file).trim();
  const number = fs.statSync(loop).rdev;
  const node = nodeOf(site, volume.id, serverId);
  fs.mkdirSync(path.dirname(node), { recursive: true, mode: 0o755 });
  fs.rmSync(node, { force: true });
  run(
    "mknod",
    "-m",
    "660",
    node,
    "b",
    String((number >> 8) & 0xfff),
    String((number & 0xff) | ((number >> 12) & 0xfff00)),
  );
  return { linuxDevice: `/dev/disk/by-id/${deviceName(volume.id)}` };
}

/**
 * Detaches a volume. What is mounted from it is unmounted first, as far as nobody works with it: a disk that is pulled while it is
 * written to can't be had with loop devices.
 */
export async function detachVolume(site: Site, id: number): Promise<void> {
  const known = readObject<VolumeObject>(site, "volume", id);
  const file = imageFile(site, id);
  if (!known || !fs.existsSync(file)) return;
  if (known.serverId !== undefined) {
    fs.rmSync(nodeOf(site, id, known.serverId), { force: true });
    unmount(site, known.serverId, loops(file));
  }
  for (const loop of loops(file)) succeeds("losetup", "--detach", loop);
  if (!(await poll(10_000, 100, () => loops(file).length === 0))) {
    throw new CloudError("action_failed", `volume ${id} is in use on server ${known.serverId}: unmount it first`);
  }
  writeObject(site, "volume", id, { ...known, serverId: undefined });
}

/** Unmounts devices in a machine, as long as something is mounted from them. */
function unmount(site: Site, serverId: number, devices: string[]): void {
  const pid = leader(machineName(site, serverId), placeOf(site, serverId));
  if (pid === undefined) return;
  const numbers = devices
    .map((device) => fs.statSync(device).rdev)
    .map((rdev) => `${(rdev >> 8) & 0xfff}:${rdev & 0xff}`);
  for (const line of fs.readFileSync(`/proc/${pid}/mountinfo`, "utf8").split("\n").reverse()) {
    const [, , number, , point] = line.split(" ");
    if (number === undefined || !numbers.includes(number)) continue;
    succeeds("nsenter", "--target", String(pid), "--mount", "--root", "umount", point!.replaceAll("\\040", " "));
  }
}

/** Makes a volume larger, also while it is attached; its filesystem is the server's to grow. */
export function resizeVolume(site: Site, id: number, gigabytes: number): void {
  const known = needObject<VolumeObject>(site, "volume", id);
  const file = imageFile(site, id);
  if (bytes(gigabytes) < fs.statSync(file).size) throw new CloudError("invalid_input", "a volume can't get smaller");
  fs.truncateSync(file, bytes(gigabytes));
  for (const loop of loops(file)) run("losetup", "--set-capacity", loop);
  writeObject(site, "volume", id, { ...known, size: gigabytes });
}

export async function deleteVolume(site: Site, id: number): Promise<void> {
  await detachVolume(site, id);
  removeObject(site, "volume", id);
}

/** Detaches all volumes of a server that goes away. */
export async function releaseVolumes(site: Site, serverId: number): Promise<void> {
  for (const id of listObjects(site, "volume")) {
    if (readObject<VolumeObject>(site, "volume", id)?.serverId === serverId) await detachVolume(site, id);
  }
}
