import * as fs from "node:fs";
import * as path from "node:path";
import { cacheDir, stateDir, writeAtomically } from "../../../cli/paths";
import { MachineError, readIfThere, run, withLock } from "./process";
import type { MachineSpec } from "./plan";

/** The machine's identity on this computer. */
export const machineId = (of: { stack: string; name: string }): string => `${of.stack}/${of.name}`;

/** Folders and files of one machine, all below the state directory. */
export function layout(id: string) {
  const folder = path.join(stateDir(), "machines", id);
  const inside = (name: string): string => path.join(folder, name);
  return {
    folder,
    record: inside("machine.json"),
    pid: inside("pid"),
    log: inside("console.log"),
    root: inside("root"),
    upper: inside("upper"),
    work: inside("work"),
    /** Plain folders for what can't lie on an overlay: containerd's own overlays, and volumes of pods. */
    volumes: { "/var/lib/rancher": inside("rancher"), "/var/lib/kubelet": inside("kubelet") },
  };
}

/** What the machine was made from, or undefined when there is no such machine. */
export function readRecord(id: string): MachineSpec | undefined {
  const text = readIfThere(layout(id).record);
  return text === undefined ? undefined : (JSON.parse(text) as MachineSpec);
}

export function writeRecord(id: string, spec: MachineSpec): void {
  writeAtomically(layout(id).record, JSON.stringify(spec, null, 2) + "\n", 0o600);
}

const names = (folder: string): string[] => (fs.existsSync(folder) ? fs.readdirSync(folder).sort() : []);

/** Every machine of a stack, or of all stacks, below this state directory. */
export function listMachines(stack?: string): string[] {
  const machines = path.join(stateDir(), "machines");
  return (stack === undefined ? names(machines) : [stack]).flatMap((one) =>
    names(path.join(machines, one))
      .map((name) => `${one}/${name}`)
      .filter((id) => fs.existsSync(layout(id).folder) && fs.statSync(layout(id).folder).isDirectory()),
  );
}

/** Removes the machine's folder, and the folders above it that this leaves empty. */
export function removeFolder(id: string): void {
  const { folder } = layout(id);
  fs.rmSync(folder, { recursive: true, force: true });
  for (const parent of [path.dirname(folder), path.dirname(path.dirname(folder))]) {
    if (names(parent).length === 0) fs.rmSync(parent, { recursive: true, force: true });
  }
}

/**
 * The unpacked root filesystem that machines share as their lower layer, unpacked once a digest. It lies in the
 * cache: it can be made again from the archive.
 */
export async function unpackedRootfs(
  spec: Pick<MachineSpec, "rootfs" | "rootfsDigest" | "stack" | "name">,
): Promise<string> {
  const folder = path.join(cacheDir(), "unpacked", `rootfs-${spec.rootfsDigest.slice(0, 16)}`);
  if (fs.existsSync(folder)) return folder;
  return withLock("rootfs", () => {
    if (fs.existsSync(folder)) return folder;
    const archive = path.resolve(cacheDir(), spec.rootfs);
    if (!fs.existsSync(archive)) {
      throw new MachineError(
        `the root filesystem ${archive} of ${machineId(spec)} is missing: npm run artifacts -- fetch`,
      );
    }
    const unfinished = `${folder}.unfinished`;
    fs.rmSync(unfinished, { recursive: true, force: true });
    fs.mkdirSync(unfinished, { recursive: true });
    run(
      "tar",
      "--extract",
      "--numeric-owner",
      "--preserve-permissions",
      "--xattrs",
      "--xattrs-include=*",
      "--file",
      archive,
      "--directory",
      unfinished,
    );
    fs.renameSync(unfinished, folder);
    return folder;
  });
}
