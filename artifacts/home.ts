import * as fs from "node:fs";
import * as path from "node:path";
import type { Cache, IndexedArtifact } from "./cache";
import { exclusively } from "./exclusive";
import type { GivenPlugin } from "./given";
import { sha256 } from "./hash";

/**
 * Puts the CLI, the language host and the plugins where the engine looks for them, unless they are there already, and gives the
 * folder. Given plugins have a home of their own for each place they come from, so that runs without them never meet one.
 */
export async function layOutHome(cache: Cache, parts: (IndexedArtifact | GivenPlugin)[]): Promise<string> {
  const given = parts.filter(isGiven).map((plugin) => plugin.path);
  const name = given.length > 0 ? `pulumi-home-given-${sha256(given.join("\n")).slice(0, 12)}` : "pulumi-home";
  const home = cache.path(name);
  const wanted = JSON.stringify(parts.map((part) => part.path));
  const stamp = path.join(home, "layout.json");
  if (readText(stamp) === wanted) return home;
  await exclusively(
    cache.path("locks", `${name}.lock`),
    () => undefined,
    () => {
      if (readText(stamp) === wanted) return;
      for (const part of parts) layOut(part, home);
      fs.writeFileSync(stamp, wanted);
    },
  );
  return home;
}

const isGiven = (part: IndexedArtifact | GivenPlugin): part is GivenPlugin => !("key" in part);

/** A plugin's folder is named by kind, name and version; the language host sits beside the CLI. */
function layOut(part: IndexedArtifact | GivenPlugin, home: string): void {
  const plugin = /^plugin-(.+)$/.exec(part.name)?.[1];
  const folder = path.join(home, ...(plugin ? ["plugins", `resource-${plugin}-${part.version}`] : ["bin"]));
  fs.mkdirSync(folder, { recursive: true });
  const from = path.dirname(part.path);
  for (const name of fs.readdirSync(from).filter((file) => file !== "entry.json")) {
    const temporary = path.join(folder, `.${name}.${process.pid}`);
    fs.rmSync(temporary, { force: true });
    // A file of the user's is left as it is, and what the user puts in its place counts at once.
    if (isGiven(part)) fs.symlinkSync(path.join(from, name), temporary);
    else bring(path.join(from, name), temporary);
    fs.renameSync(temporary, path.join(folder, name));
    fs.rmSync(temporary, { force: true }); // rename leaves it when both names are already one file
  }
}

function bring(from: string, to: string): void {
  try {
    fs.linkSync(from, to);
  } catch {
    fs.copyFileSync(from, to); // another file system
  }
  fs.chmodSync(to, 0o755);
}

function readText(file: string): string | undefined {
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8") : undefined;
}
