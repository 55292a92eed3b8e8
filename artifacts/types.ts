/**
 * Where an artefact came from.
 * `official`: the upstream's own binary, image or manifest, checked against the lock's digest.
 * `built`: the same upstream release built here from its module or package, locked by its recipe.
 * `stand-in`: something of ours that takes the official part's place.
 */
export type Parts = "official" | "built" | "stand-in";

/** What every artefact in the cache has. */
export interface Artifact {
  name: string;
  version: string;
  parts: Parts;
  /** Absolute path in the cache: a file, or a folder where the artefact is one. */
  path: string;
  /** Hex digest of the file's content (of the folder's listing, where it is a folder). */
  sha256: string;
  /** Bytes. */
  size: number;
  /** One line: the URL, module, or packages that it was made from. */
  source: string;
}

/** A container image as an OCI archive that `k3s` imports from `agent/images`. */
export interface ImageArtifact extends Artifact {
  /** Digest-pinned reference for pod specs, under the official name: `docker.io/library/traefik:v3.6.12@sha256:...`. */
  ref: string;
}

/**
 * The local artefact cache as the program reads it: synchronous, offline, no fetching. A lookup of something
 * that is not in the cache throws an error whose message names it and says `npm run artifacts -- fetch`.
 */
export interface Artifacts {
  file(name: string): Artifact;
  image(name: string): ImageArtifact;
  /** An upstream manifest (one or more YAML documents). */
  manifest(name: string): Artifact;
  list(): Artifact[];
}
