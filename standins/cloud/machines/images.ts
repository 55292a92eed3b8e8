import * as fs from "node:fs";
import * as path from "node:path";
import { run } from "../../../components/host/nspawn/process";
import { CloudError } from "../backend";
import { listObjects, readObject, Site } from "./site";

const imageId = (image: string): number | undefined => {
  const found = /^snapshot-(\d+)$/.exec(image);
  return found ? Number(found[1]) : undefined;
};

const folderOfImage = (site: Site, id: number): string => path.join(site.folder, "images", String(id));

/** Folders that a snapshot lays over the root filesystem; none for other images. */
export function imageLowers(site: Site, image: string): string[] {
  const id = imageId(image);
  if (id === undefined) return [];
  const folder = folderOfImage(site, id);
  if (!fs.existsSync(folder)) throw new CloudError("not_found", `the snapshot ${image} has no data`);
  return [folder];
}

/** What belongs to one server alone, and a real image is cleaned of. */
const ofTheServer = ["etc/machine-id", "var/lib/cloud/instance/boot-finished"];

/**
 * Copies a server's disk. Of its two folders beside the disk (K3s's and the kubelet's) nothing is copied: what lies there is a
 * cluster's, and a node that comes up as a copy of another is of no use.
 */
export function makeImage(site: Site, upper: string, image: string, id: number): { sizeGb: number } {
  if (imageId(image) !== undefined) {
    throw new CloudError("action_failed", "the emulator makes no snapshot of a server that was made from one");
  }
  const folder = folderOfImage(site, id);
  const unfinished = `${folder}.unfinished`;
  fs.rmSync(unfinished, { recursive: true, force: true });
  fs.mkdirSync(path.dirname(folder), { recursive: true, mode: 0o700 });
  run("cp", "-a", upper, unfinished);
  for (const file of ofTheServer) fs.rmSync(path.join(unfinished, file), { force: true });
  const keys = path.join(unfinished, "etc/ssh");
  for (const file of fs.existsSync(keys) ? fs.readdirSync(keys) : []) {
    if (file.startsWith("ssh_host_")) fs.rmSync(path.join(keys, file));
  }
  fs.rmSync(folder, { recursive: true, force: true });
  fs.renameSync(unfinished, folder);
  const kibibytes = Number(run("du", "-sk", folder).split("\t")[0]);
  return { sizeGb: kibibytes / 2 ** 20 };
}

/** Deletes a snapshot; servers that were made from it keep it as long as they live. */
export function deleteImage(site: Site, id: number): void {
  const folder = folderOfImage(site, id);
  if (!fs.existsSync(folder)) return;
  fs.writeFileSync(`${folder}.deleted`, "");
  tidyImages(site);
}

/** Removes the data of deleted snapshots that no server lies on any more. */
export function tidyImages(site: Site): void {
  const all = path.join(site.folder, "images");
  if (!fs.existsSync(all)) return;
  const used = listObjects(site, "server").map((id) => readObject<{ image: string }>(site, "server", id)?.image);
  for (const file of fs.readdirSync(all).filter((name) => name.endsWith(".deleted"))) {
    const id = Number(file.slice(0, -".deleted".length));
    if (used.includes(`snapshot-${id}`)) continue;
    for (const one of [folderOfImage(site, id), path.join(all, file)]) fs.rmSync(one, { recursive: true, force: true });
  }
  if (fs.readdirSync(all).length === 0) fs.rmdirSync(all);
}
