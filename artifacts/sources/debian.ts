import * as fs from "node:fs";
import * as path from "node:path";
import { z } from "zod";
import { root } from "../../cli/paths";
import type { DebianSource, DebianTree } from "../catalogue/types";
import { ArtifactError } from "../errors";
import { pipeline } from "node:stream/promises";
import { readTar } from "../image/tar";
import { filterTar, type LayerFile } from "../image/layer";
import { run } from "../run";
import type { Built, BuildContext } from "./context";

const listSchema = z.object({ packages: z.array(z.string()).min(1), remove: z.array(z.string()).default([]) });

/** What no image and no machine needs: apt's own files, documentation, translations. */
const NEVER_KEPT = [
  "/usr/share/doc/*",
  "/usr/share/info/*",
  "/usr/share/lintian/*",
  "/usr/share/locale/*",
  "/usr/share/man/*",
  "/var/cache/apt/*",
  "/var/cache/debconf/*-old",
  "/var/lib/apt/lists/*",
  "/var/log/*.log",
  "/var/log/apt",
];

/** The tree with its package list read, where that stands in a file of its own. */
export function resolveTree(tree: DebianTree): DebianTree {
  if (tree.from === undefined) return tree;
  const parsed = listSchema.safeParse(JSON.parse(fs.readFileSync(path.join(root, tree.from), "utf8")));
  if (!parsed.success) throw new ArtifactError(`${tree.from}: ${z.prettifyError(parsed.error)}`);
  return { ...tree, packages: parsed.data.packages, remove: parsed.data.remove };
}

/** Makes the archive of a whole system. */
export async function debian(source: DebianSource, context: BuildContext): Promise<Built> {
  const tree = resolveTree(source.debian);
  await debianTar(tree, path.join(context.out, context.entry.file), source.devices ?? false, context);
  return { source: `Debian ${tree.suite}: ${tree.packages.join(" ")}` };
}

/**
 * Unpacks Debian packages and what they depend on into a tar, by mmdebstrap: apt resolves, and verifies the suite's
 * signature.
 * @param devices keep /dev's nodes: a machine needs them, an image must not have them
 */
export async function debianTar(
  given: DebianTree,
  file: string,
  devices: boolean,
  context: BuildContext,
): Promise<LayerFile> {
  const tree = resolveTree(given);
  const raw = path.join(context.scratch, "debian.tar");
  const temporary = path.join(context.scratch, "debian");
  fs.mkdirSync(temporary, { recursive: true });
  fs.chmodSync(temporary, 0o755);
  const rootUser = process.getuid?.() === 0;
  await run(
    "mmdebstrap",
    [
      `--mode=${rootUser ? "root" : "unshare"}`,
      `--variant=${tree.variant}`,
      `--include=${tree.packages.join(",")}`,
      "--aptopt=APT::Install-Recommends false",
      tree.suite,
      raw,
    ],
    {
      what: context.entry.name,
      log: context.log,
      env: { ...process.env, TMPDIR: temporary, SOURCE_DATE_EPOCH: "0", DEBIAN_FRONTEND: "noninteractive" },
    },
  );
  const layer = await filterTar(raw, file, [...NEVER_KEPT, ...(tree.remove ?? [])], devices);
  fs.rmSync(raw);
  return layer;
}

/** Takes one file out of a Debian package; a suite with a merged /usr may have it there. */
export async function debianFile(
  wanted: { suite: DebianTree["suite"]; package: string; file: string },
  to: string,
  context: BuildContext,
): Promise<void> {
  const tar = path.join(context.scratch, `${wanted.package}.tar`);
  await debianTar({ suite: wanted.suite, variant: "extract", packages: [wanted.package] }, tar, false, context);
  let found = false;
  await readTar(fs.createReadStream(tar), async (header, content) => {
    const name = `/${header.name}`;
    found ||= name === wanted.file || name === `/usr${wanted.file}`;
    if (name === wanted.file || name === `/usr${wanted.file}`) await pipeline(content, fs.createWriteStream(to));
    else content.resume();
  });
  fs.rmSync(tar);
  if (!found) {
    throw new ArtifactError(`${context.entry.name}: the package ${wanted.package} has no file ${wanted.file}`);
  }
  fs.chmodSync(to, 0o755);
}
