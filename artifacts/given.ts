import * as fs from "node:fs";
import * as path from "node:path";
import { catalogue, type Entry } from "./catalogue";
import { ArtifactError } from "./errors";
import { sha256 } from "./hash";
import type { Artifact } from "./types";

/** The variable that names a folder of official provider plugins, laid out as the engine's own `plugins` folder. */
export const GIVEN_PLUGINS = "GROUNDWORK_OFFICIAL_PLUGINS";

/** A plugin that the user gives: official by the user's word, and checked against nothing. */
export type GivenPlugin = Pick<Artifact, "name" | "version" | "path" | "source"> & { parts: "official" };

const pluginName = (entry: Entry): string => entry.name.replace(/^plugin-/, "");

/**
 * The plugins in a folder that take the place of the cache's: `resource-<name>-v<version>/pulumi-resource-<name>`, in the version that this
 * project's package of that provider asks for. Plugins of providers that the project does not use are passed over.
 * @param folder default: what the environment's variable says; unset or empty, there are none
 * @throws ArtifactError where the folder has none that can be used, or one in another version, or one that is no official one
 */
export function givenPlugins(folder = process.env[GIVEN_PLUGINS], entries = catalogue): GivenPlugin[] {
  if (!folder) return [];
  const known = entries.filter((entry) => entry.name.startsWith("plugin-"));
  const there = fs.existsSync(folder) && fs.statSync(folder).isDirectory() ? fs.readdirSync(folder) : undefined;
  const wrong = (what: string): ArtifactError =>
    new ArtifactError(`${GIVEN_PLUGINS} is ${folder}, and ${what}. Correct it, or unset the variable.`);
  if (there === undefined) throw wrong("there is no such folder");
  const found = known.flatMap((entry): GivenPlugin[] => {
    const name = pluginName(entry);
    const versions = there.filter((each) => each.startsWith(`resource-${name}-v`));
    if (versions.length === 0) return [];
    const wanted = `resource-${name}-${entry.version}`;
    if (!versions.includes(wanted)) {
      throw wrong(`it has ${versions.join(", ")}, where this project's @pulumi/${name} asks for ${wanted}`);
    }
    const file = path.resolve(folder, wanted, `pulumi-resource-${name}`);
    if (!isProgram(file)) throw wrong(`${path.join(wanted, path.basename(file))} in it is missing or can't be run`);
    if (isStandIn(file)) {
      throw wrong(`${wanted} in it is a stand-in of this project's`);
    }
    const source = `given in ${folder}, not checked against the lock`;
    return [{ name: entry.name, version: entry.version, parts: "official", path: file, source }];
  });
  if (found.length > 0) return found;
  const examples = known.map((entry) => `resource-${pluginName(entry)}-${entry.version}`).join(", ");
  throw wrong(`it has none of the plugins that this project uses: ${examples}`);
}

/** A given plugin with its digest and size, for lists. */
export function measured(plugin: GivenPlugin): Artifact {
  const content = fs.readFileSync(plugin.path);
  return { ...plugin, sha256: sha256(content), size: content.length };
}

/** Whether a binary is one of this project's stand-ins: Go writes the module's path into what it builds. */
export function isStandIn(file: string): boolean {
  return fs.readFileSync(file).includes("groundwork.dev/standins/");
}

function isProgram(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}
