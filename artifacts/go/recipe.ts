import * as fs from "node:fs";
import * as path from "node:path";
import { z } from "zod";
import { root } from "../../cli/paths";
import { ArtifactError } from "../errors";
import { folderDigest } from "../hash";

const build = z.strictObject({
  /** Import path, or `.` for the folder's own package. */
  package: z.string(),
  /** Path of the binary in the copy of the folder. */
  output: z.string(),
  tags: z.array(z.string()).default([]),
  /** `${npm:NAME}` stands for the version of NAME that package.json pins. */
  ldflags: z.array(z.string()).default(["-s", "-w"]),
  /** False for what only a later build embeds. */
  keep: z.boolean().default(true),
});

const patch = z.strictObject({
  module: z.string(),
  /** Folder in the copy to which go.mod replaces the module. */
  into: z.string(),
  /** File in the module to the file in the folder that is laid over it. */
  files: z.record(z.string(), z.string()),
});

/** How a folder is built: its recipe.json. */
export const recipeSchema = z.strictObject({
  comment: z.string().optional(),
  /** Oldest toolchain; default is go.mod's `go` line. */
  go: z.string().optional(),
  env: z.record(z.string(), z.string()).default({}),
  /** Paths in the folder that are not inputs; one that ends in a slash is a folder. */
  ignore: z.array(z.string()).default([]),
  /** Other folders that go.mod replaces modules with, relative to this one. */
  include: z.array(z.string()).default([]),
  patches: z.array(patch).default([]),
  /** Run in this order. */
  builds: z.array(build).min(1),
});

export type Recipe = z.infer<typeof recipeSchema>;

/** Reads a folder's recipe. */
export function readRecipe(folder: string): Recipe {
  const file = path.join(root, folder, "recipe.json");
  if (!fs.existsSync(file)) {
    throw new ArtifactError(`${folder}/recipe.json is missing: there is nothing to build ${folder} by`);
  }
  const parsed = recipeSchema.safeParse(JSON.parse(fs.readFileSync(file, "utf8")));
  if (!parsed.success) throw new ArtifactError(`${folder}/recipe.json: ${z.prettifyError(parsed.error)}`);
  for (const step of parsed.data.builds) {
    step.ldflags = step.ldflags.map((flag) =>
      flag.replace(/\$\{npm:([^}]+)\}/g, (_, name: string) => pinnedVersion(name)),
    );
  }
  return parsed.data;
}

/** The exact version of a dependency in package.json. */
export function pinnedVersion(name: string): string {
  const manifest = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  const version = manifest.dependencies[name];
  if (version === undefined) throw new ArtifactError(`package.json does not depend on ${name}`);
  return version;
}

/** The `go` line of a go.mod. */
export function goVersionOf(folder: string): string {
  const text = fs.readFileSync(path.join(root, folder, "go.mod"), "utf8");
  return /^go (\S+)$/m.exec(text)?.[1] ?? "1.24";
}

/** Version of a module that a go.mod requires. */
export function requiredVersion(folder: string, module: string): string {
  const text = fs.readFileSync(path.join(root, folder, "go.mod"), "utf8");
  const version = new RegExp(`^\\s*(?:require\\s+)?${module.replaceAll(".", "\\.")} (v\\S+)`, "m").exec(text)?.[1];
  if (version === undefined) throw new ArtifactError(`${folder}/go.mod does not require ${module}`);
  return version;
}

/** The folders of a recipe, relative to the checkout: its own first. */
export function recipeFolders(folder: string, recipe: Recipe): string[] {
  return [folder, ...recipe.include.map((other) => path.posix.normalize(`${folder}/${other}`))];
}

/** Digest of everything in the checkout that a recipe's results depend on. */
export function recipeDigest(folder: string): string {
  const recipe = readRecipe(folder);
  const digests = recipeFolders(folder, recipe).map((name) => folderDigest(path.join(root, name), recipe.ignore));
  return [...digests, ...recipe.builds.map((step) => step.ldflags.join(" "))].join("+");
}
