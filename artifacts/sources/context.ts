import type { Entry } from "../catalogue/types";
import type { GoToolchain } from "../go/toolchain";
import type { Lock } from "../lockfile";
import type { IndexedArtifact } from "../cache";

/** Where progress goes. */
export interface ArtifactUi {
  /** One line for a person. */
  say(line: string): void;
}

/** What a source has to work with. */
export interface BuildContext {
  entry: Entry;
  /** The result goes here, as `entry.file` and what belongs beside it. */
  out: string;
  /** For everything else; thrown away. */
  scratch: string;
  /** File that commands log to. */
  log: string;
  /** A line under the entry's name. */
  say(line: string): void;
  lock: Lock;
  /** Replace the lock's digest by what upstream serves now. */
  updateLock: boolean;
  /** Another entry, fetched or built when it is not here. */
  need(name: string): Promise<IndexedArtifact>;
  /** A Go toolchain of at least that version, with the environment that its commands take. */
  go(version: string): Promise<GoToolchain>;
}

/** What a source made. */
export interface Built {
  /** One line: the URL, module, or packages that it was made from. */
  source: string;
  /** Reference of an image. */
  ref?: string;
}
