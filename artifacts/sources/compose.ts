import * as fs from "node:fs";
import * as path from "node:path";
import { z } from "zod";
import { root } from "../../cli/paths";
import type { ComposeSource, ImageSetSource, Layer } from "../catalogue/types";
import { ArtifactError } from "../errors";
import { goVersionOf } from "../go/recipe";
import { writeLayer, type LayerFile, type LayerItem } from "../image/layer";
import { composeImage, referenceOf, writeLayout, type Image } from "../image/layout";
import { run } from "../run";
import type { Built, BuildContext } from "./context";
import { debianFile } from "./debian";

/** Puts an image together from Debian packages and other entries' results. */
export async function compose(source: ComposeSource, context: BuildContext): Promise<Built> {
  const { entry } = context;
  if (entry.image === undefined) throw new Error(`${entry.name}: an image needs a name`);
  const layers: LayerFile[] = [];
  for (const [number, layer] of source.layers.entries()) {
    layers.push(await makeLayer(layer, path.join(context.scratch, `layer-${number}.tar`), context));
  }
  const image = composeImage(entry.image, layers, source.config);
  await writeLayout([image], path.join(context.out, entry.file));
  const parts = await Promise.all(source.layers.map((layer) => describe(layer, context)));
  return { source: parts.flat().join("; "), ref: referenceOf(image) };
}

async function makeLayer(layer: Layer, file: string, context: BuildContext): Promise<LayerFile> {
  if ("tar" in layer) return context.need(layer.tar);
  const items: LayerItem[] = [];
  for (const spec of layer.files ?? []) {
    if ("text" in spec) items.push({ ...spec, kind: "text" });
    else items.push({ ...spec, kind: "file", from: (await context.need(spec.entry)).path });
  }
  for (const [to, target] of Object.entries(layer.links ?? {})) items.push({ to, kind: "link", target });
  for (const [to, owner] of Object.entries(layer.directories ?? {})) items.push({ to, kind: "directory", ...owner });
  return writeLayer(items, file);
}

/** What a layer was made from, without the texts that stand in the catalogue. */
async function describe(layer: Layer, context: BuildContext): Promise<string[]> {
  const entries =
    "tar" in layer ? [layer.tar] : (layer.files ?? []).flatMap((file) => ("entry" in file ? [file.entry] : []));
  return Promise.all(entries.map(async (name) => (await context.need(name)).source));
}

const imageSetSchema = z.object({
  archive: z.string(),
  goFlags: z.object({ env: z.record(z.string(), z.string()), flags: z.array(z.string()), ldflags: z.string() }),
  images: z.array(
    z.object({
      name: z.string(),
      tag: z.string(),
      /** A Go module below the list's folder, and what to build in it. */
      dir: z.string().optional(),
      package: z.string().optional(),
      ldflags: z.string().optional(),
      /** Or a file of a Debian package. */
      debian: z.object({ suite: z.enum(["bookworm", "trixie"]), package: z.string(), file: z.string() }).optional(),
      /** Where the binary goes. */
      binary: z.string(),
      /** Names beside the binary that are links to it. */
      links: z.array(z.string()).default([]),
      directories: z.array(z.string()).default([]),
      entrypoint: z.array(z.string()).optional(),
      cmd: z.array(z.string()).optional(),
      env: z.array(z.string()).optional(),
      user: z.string().optional(),
    }),
  ),
});

type ListedImage = z.infer<typeof imageSetSchema>["images"][number];
type GoFlags = z.infer<typeof imageSetSchema>["goFlags"];

/** Builds every image of a list, each around one static binary, into one archive. */
export async function imageSet(source: ImageSetSource, context: BuildContext): Promise<Built> {
  const folder = path.join(root, source.folder);
  const parsed = imageSetSchema.safeParse(JSON.parse(fs.readFileSync(path.join(folder, source.list), "utf8")));
  if (!parsed.success) throw new ArtifactError(`${source.folder}/${source.list}: ${z.prettifyError(parsed.error)}`);
  const images: Image[] = [];
  for (const [number, listed] of parsed.data.images.entries()) {
    context.say(`image ${number + 1} of ${parsed.data.images.length}: ${listed.name}:${listed.tag}`);
    const binary = path.join(context.scratch, `binary-${number}`);
    await makeBinary(source.folder, listed, parsed.data.goFlags, binary, context);
    const layer = await writeLayer(layerItems(listed, binary), path.join(context.scratch, `layer-${number}.tar`));
    images.push(composeImage({ name: listed.name, tag: listed.tag }, [layer], listed));
  }
  await writeLayout(images, path.join(context.out, context.entry.file));
  return {
    source: `${source.folder}/${source.list}: ${images.map((i) => `${i.image.name}:${i.image.tag}`).join(" ")}`,
  };
}

async function makeBinary(
  folder: string,
  listed: ListedImage,
  flags: GoFlags,
  to: string,
  context: BuildContext,
): Promise<void> {
  if (listed.debian) return debianFile(listed.debian, to, context);
  if (listed.dir === undefined) {
    throw new ArtifactError(`${listed.name}: neither "dir" nor "debian" says where its binary is from`);
  }
  const module = `${folder}/${listed.dir}`;
  const go = await context.go(goVersionOf(module));
  const ldflags = ["-buildid=", flags.ldflags, listed.ldflags ?? ""].join(" ").trim();
  await run(go.command, ["build", ...flags.flags, "-ldflags", ldflags, "-o", to, listed.package ?? "."], {
    what: `${context.entry.name} (${listed.name})`,
    log: context.log,
    cwd: path.join(root, module),
    env: { ...go.env, ...flags.env, GOOS: "linux" },
  });
}

function layerItems(listed: ListedImage, binary: string): LayerItem[] {
  const folder = path.posix.dirname(listed.binary);
  return [
    { to: listed.binary, kind: "file", from: binary, mode: 0o755 },
    ...listed.links.map((name): LayerItem => ({
      to: path.posix.join(folder, name),
      kind: "link",
      target: path.posix.basename(listed.binary),
    })),
    ...listed.directories.map((to): LayerItem => ({ to, kind: "directory", mode: 0o1777 })),
  ];
}
