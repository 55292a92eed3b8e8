import { ArtifactError } from "../errors";
import { cloudEntries } from "./cloud";
import { cluster } from "./cluster";
import { platformEntries } from "./platform";
import { toolchain } from "./toolchain";
import { trustEntries } from "./trust";
import type { Entry } from "./types";

export type * from "./types";

/** Every outside artefact of the project, in the order in which a first run wants them. */
export const catalogue: readonly Entry[] = [
  ...toolchain,
  ...cluster,
  ...platformEntries,
  ...trustEntries,
  ...cloudEntries,
];

/** The names that the engine needs before any program can run. */
export const TOOLCHAIN = toolchain.filter((entry) => !entry.internal).map((entry) => entry.name);

/** The entry of that name. */
export function entryOf(name: string, entries: readonly Entry[] = catalogue): Entry {
  const found = entries.find((entry) => entry.name === name);
  if (found === undefined) {
    const names = entries.filter((entry) => !entry.internal).map((entry) => entry.name);
    throw new ArtifactError(`There is no artefact "${name}" in the catalogue. It has: ${names.join(", ")}`);
  }
  return found;
}
