import type { Parts } from "../types";

/** What an entry is to the program: a file, a Pulumi plugin, a container image archive or a Kubernetes manifest. */
export type Kind = "file" | "plugin" | "image" | "manifest";

/** One outside artefact. The order of `sources` is the order of preference. */
export interface Entry {
  name: string;
  version: string;
  kind: Kind;
  /** One line: what it is for. */
  about: string;
  /** Name of the result in the entry's folder of the cache. */
  file: string;
  /** Images with one name; archives of several have none. */
  image?: ImageName;
  sources: Source[];
  /** An input of other entries, which the program never asks for: fetched only when what it goes into is built. */
  internal?: true;
}

/** An image's full name as pods write it, registry included. */
export interface ImageName {
  name: string;
  tag: string;
}

interface SourceBase {
  parts: Parts;
  /** Seconds it takes on two cores with cold caches: the estimate until this machine has done it once. */
  seconds: number;
}

/** An upstream release file. Its digest comes from the lock; the first connected run fills that from `checksums`. */
export interface DownloadSource extends SourceBase {
  type: "download";
  url: string;
  /** Upstream's checksum list in sha256sum format, which must name the URL's last segment. */
  checksums?: string;
  /** Members to take out of a .tar.gz, by path in it; the folder's own file names in the entry. */
  unpack?: Record<string, string>;
}

/** Files of another entry, which must be of the same provenance as this source. */
export interface PartOfSource extends SourceBase {
  type: "part-of";
  entry: string;
  /** Name here to name there. */
  files: Record<string, string>;
}

/** A Go build of a folder in this checkout, as its recipe.json says. */
export interface GoSource extends SourceBase {
  type: "go";
  /** Folder in the checkout, with go.mod, go.sum and recipe.json. */
  folder: string;
  /** Which of the recipe's results this entry keeps. */
  output: string;
}

/** Files of a published Go module, or one folder of it as a tar; Go's checksum database vouches for the module. */
export interface ModuleFileSource extends SourceBase {
  type: "module-file";
  module: string;
  version: string;
  /** Path in the module. A folder becomes a tar archive with paths relative to it; several files are joined in order. */
  path: string | string[];
}

/** An archive of Debian packages, resolved and verified by apt. */
export interface DebianSource extends SourceBase {
  type: "debian";
  debian: DebianTree;
  /** Keep the nodes of /dev: a machine needs them, an image must not have them. Default false. */
  devices?: boolean;
}

/** A tree of Debian packages. */
export interface DebianTree {
  suite: "bookworm" | "trixie";
  /** mmdebstrap's variant: `minbase` installs, `extract` only unpacks, with no maintainer script run. */
  variant: "minbase" | "extract";
  packages: string[];
  /** Absolute paths left out; `*` at the end or within stands for anything. */
  remove?: string[];
  /** A JSON file in the checkout whose `packages` and `remove` are used instead of the ones here. */
  from?: string;
}

/** An official image, pulled from its registry by the distribution protocol. */
export interface PullSource extends SourceBase {
  type: "pull";
}

/** An image put together here. */
export interface ComposeSource extends SourceBase {
  type: "compose";
  layers: Layer[];
  config: ImageConfig;
}

/** Several images in one archive, listed in a JSON file of a stand-in. */
export interface ImageSetSource extends SourceBase {
  type: "image-set";
  folder: string;
  list: string;
}

/** What an npm script of a workspace makes. */
export interface WorkspaceSource extends SourceBase {
  type: "workspace";
  workspace: string;
  script: string;
  output: string;
  /** Paths in the workspace whose content the result depends on, besides the lock file. */
  inputs: string[];
}

/** One file out of a package of the npm registry; its integrity stands in the lock. */
export interface NpmSource extends SourceBase {
  type: "npm";
  package: string;
  version: string;
  path: string;
}

/** A Maven artefact with its runtime dependencies, as one tar of jars. */
export interface MavenSource extends SourceBase {
  type: "maven";
  /** `group:artifact:version`, each with its dependencies. */
  coordinates: string[];
}

export type Source =
  | DownloadSource
  | PartOfSource
  | GoSource
  | ModuleFileSource
  | DebianSource
  | PullSource
  | ComposeSource
  | ImageSetSource
  | WorkspaceSource
  | NpmSource
  | MavenSource;

/** A layer: another entry, which is a tar, or single files. */
export type Layer = { tar: string } | FilesLayer;

export interface FilesLayer {
  files?: FileSpec[];
  /** Symbolic links, path to target. */
  links?: Record<string, string>;
  /** Empty folders that must be there. */
  directories?: Record<string, Ownership>;
}

/** Owner and mode; root and 0755 (0644 for text) where unset. */
export interface Ownership {
  mode?: number;
  uid?: number;
  gid?: number;
}

/** A file of a layer: another entry's result, or a text. */
export type FileSpec = Ownership & { to: string } & ({ entry: string } | { text: string });

/** The part of the OCI image configuration that the images here use. */
export interface ImageConfig {
  entrypoint?: string[];
  cmd?: string[];
  env?: string[];
  user?: string;
  workingDir?: string;
}
