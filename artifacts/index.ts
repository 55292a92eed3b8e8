import * as fs from "node:fs";
import { cacheDir } from "../cli/paths";
import { Cache } from "./cache";
import { ArtifactError } from "./errors";
import type { Artifact, Artifacts, ImageArtifact } from "./types";

export type { Artifact, Artifacts, ImageArtifact, Parts } from "./types";

/**
 * Opens the local artefact cache as the last fetch of this checkout left it: one small file is read, nothing is
 * hashed and nothing is fetched.
 */
export function openArtifacts(cache = new Cache(cacheDir())): Artifacts {
  const { artifacts } = cache.readIndex();
  const get = (name: string): Artifact | ImageArtifact => {
    const found = artifacts[name];
    if (found === undefined || !fs.existsSync(found.path)) {
      throw new ArtifactError(
        `The artefact "${name}" is not in the cache ${cache.folder}. Run: npm run artifacts -- fetch ${name}`,
      );
    }
    return found;
  };
  return {
    file: get,
    // An operator's image and its manifest share a name.
    manifest: (name) => get(`${name}-manifest` in artifacts ? `${name}-manifest` : name),
    image(name) {
      const found = get(name);
      if (!("ref" in found)) throw new ArtifactError(`The artefact "${name}" is not an image with one reference.`);
      return found;
    },
    list: () => Object.values(artifacts).sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}
