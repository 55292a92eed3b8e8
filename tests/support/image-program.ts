import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

interface Manifest {
  manifests?: { digest: string }[];
  layers?: { digest: string }[];
}

/** Takes a program out of an image's archive (OCI layout), to run it without a container. */
export function programOf(image: { path: string }, program: string, folder: string): string {
  const layout = path.join(folder, `${path.basename(image.path)}.layout`);
  fs.mkdirSync(layout, { recursive: true });
  execFileSync("tar", ["-xf", image.path, "-C", layout]);
  const blob = (digest: string): string => path.join(layout, "blobs", ...digest.split(":"));
  const read = (file: string): Manifest => JSON.parse(fs.readFileSync(file, "utf8")) as Manifest;
  let manifest = read(path.join(layout, "index.json"));
  while (manifest.manifests) manifest = read(blob(manifest.manifests[0]!.digest));
  const target = path.join(folder, path.basename(program));
  for (const { digest } of manifest.layers ?? []) {
    const layer = blob(digest);
    const names = execFileSync("tar", ["-tf", layer], { encoding: "utf8", maxBuffer: 1 << 26 }).split("\n");
    const name = names.find((one) => `/${one.replace(/^\.?\//, "")}` === program);
    if (!name) continue;
    fs.writeFileSync(target, execFileSync("tar", ["-xOf", layer, name], { maxBuffer: 1 << 29 }), { mode: 0o755 });
  }
  fs.rmSync(layout, { recursive: true });
  if (!fs.existsSync(target)) throw new Error(`the image has no ${program}`);
  return target;
}
