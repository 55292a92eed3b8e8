import * as fs from "node:fs";
import * as path from "node:path";
import { root } from "../../cli/paths";
import type { GoSource, ModuleFileSource } from "../catalogue/types";
import { ArtifactError, ChecksumMismatch } from "../errors";
import { goVersionOf, readRecipe, recipeFolders, requiredVersion, type Recipe } from "../go/recipe";
import type { GoToolchain } from "../go/toolchain";
import { inputFiles, sha256File } from "../hash";
import { TarWriter } from "../image/tar";
import { run } from "../run";
import type { Built, BuildContext } from "./context";

/**
 * Builds a folder by its recipe, in a copy of it. Paths, version control stamps and build ids stay out of the binary, so
 * that the same sources and toolchain give the same bytes.
 */
export async function goBuild(source: GoSource, context: BuildContext): Promise<Built> {
  const recipe = readRecipe(source.folder);
  const go = await context.go(recipe.go ?? goVersionOf(source.folder));
  const copy = path.join(context.scratch, "src");
  for (const folder of recipeFolders(source.folder, recipe)) copyFolder(folder, copy, recipe.ignore);
  const work = path.join(copy, source.folder);
  for (const patch of recipe.patches) {
    await layOver(patch, requiredVersion(source.folder, patch.module), work, go, context);
  }
  let found = false;
  for (const build of recipe.builds) {
    const wanted = build.keep && path.basename(build.output) === source.output;
    if (build.keep && !wanted) continue;
    const output = path.join(work, build.output);
    await run(go.command, buildArguments(build, output), {
      what: context.entry.name,
      log: context.log,
      cwd: work,
      env: { ...go.env, CGO_ENABLED: "0", ...recipe.env, GOOS: "linux" },
    });
    if (!wanted) continue;
    fs.renameSync(output, path.join(context.out, context.entry.file));
    found = true;
  }
  if (!found) throw new ArtifactError(`${source.folder}/recipe.json keeps nothing named ${source.output}`);
  return { source: `${source.folder}, Go ${go.version}` };
}

function buildArguments(build: Recipe["builds"][number], output: string): string[] {
  const tags = build.tags.length > 0 ? ["-tags", build.tags.join(",")] : [];
  return [
    "build",
    "-trimpath",
    ...tags,
    "-ldflags",
    ["-buildid=", ...build.ldflags].join(" "),
    "-o",
    output,
    build.package,
  ];
}

function copyFolder(folder: string, to: string, ignore: string[]): void {
  for (const name of inputFiles(path.join(root, folder), ignore)) {
    const target = path.join(to, folder, name);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.copyFileSync(path.join(root, folder, name), target);
  }
}

/** Copies a module out of the module cache and lays files of the recipe over it; go.mod replaces the module with it. */
async function layOver(
  patch: Recipe["patches"][number],
  version: string,
  work: string,
  go: GoToolchain,
  context: BuildContext,
): Promise<void> {
  const { Dir } = await downloadModule(`${patch.module}@${version}`, go, context);
  const target = path.join(work, patch.into);
  fs.cpSync(Dir, target, { recursive: true });
  for (const [name, from] of Object.entries(patch.files)) {
    const file = path.join(target, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.rmSync(file, { force: true }); // the module cache's files are read-only
    fs.copyFileSync(path.join(work, from), file);
  }
}

/** Takes files, or a folder, out of a published module. Go's checksum database vouches for the module's content. */
export async function moduleFile(source: ModuleFileSource, context: BuildContext): Promise<Built> {
  const go = await context.go("1.21");
  const module = `${source.module}@${source.version}`;
  const { Dir } = await downloadModule(module, go, context);
  const names = [source.path].flat();
  const from = names.map((name) => path.join(Dir, name));
  const missing = names.find((_, index) => !fs.existsSync(from[index]!));
  if (missing !== undefined) {
    throw new ArtifactError(`${context.entry.name}: the module ${module} has no file ${missing}`);
  }
  const where = `${module}/${names.join(" ")}`;
  const to = path.join(context.out, context.entry.file);
  if (fs.statSync(from[0]!).isDirectory()) await archive(from[0]!, to);
  else fs.writeFileSync(to, Buffer.concat(from.map((file) => fs.readFileSync(file))));
  fs.chmodSync(to, 0o644);
  const { entry, lock } = context;
  const digest = await sha256File(to);
  const locked = context.updateLock ? undefined : lock.upstream(entry.name, entry.version);
  if (locked && locked.sha256 !== digest) {
    throw new ChecksumMismatch(entry.name, where, locked.sha256, digest, "artifacts/lock.json");
  }
  if (!locked) lock.record(entry.name, entry.version, { from: where, sha256: digest });
  return { source: where };
}

/** A folder as a tar whose bytes depend on names and contents alone. */
async function archive(folder: string, to: string): Promise<void> {
  const tar = new TarWriter(to);
  for (const name of inputFiles(folder)) await tar.addFile({ name }, path.join(folder, name));
  await tar.close();
}

async function downloadModule(module: string, go: GoToolchain, context: BuildContext): Promise<{ Dir: string }> {
  const options = { what: context.entry.name, log: context.log, cwd: context.scratch, env: go.env, capture: true };
  return JSON.parse(await run(go.command, ["mod", "download", "-json", module], options)) as { Dir: string };
}
