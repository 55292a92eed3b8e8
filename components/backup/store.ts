import type { Readable } from "node:stream";

/** What a store tells of one object. */
export interface Stored {
  /** Parts of the key with slashes between them. */
  key: string;
  bytes: number;
}

/**
 * Where backups are kept: objects by key, each whole or not there at all. Nothing that comes in is secret any more: it was
 * encrypted before, and what is read is checked after, so a store needs to be trusted with neither.
 */
export interface BackupStore {
  /** For people: a folder, or a URL. */
  readonly place: string;
  /**
   * Writes an object, which is there once this returns and not before; one of that key is replaced.
   * @returns its size
   */
  put(key: string, content: Readable): Promise<number>;
  /** @throws StoreError where there is none */
  get(key: string): Promise<Readable>;
  /** Objects whose key begins with the prefix, by key. */
  list(prefix: string): Promise<Stored[]>;
  /** Removes an object; one that is not there is no mistake. */
  remove(key: string): Promise<void>;
}

/** What a store refuses or has not, in words for a person. */
export class StoreError extends Error {
  readonly userError = true;
}
