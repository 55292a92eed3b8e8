import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { BackupStore, Stored, StoreError } from "./store";

/** Ends of names that are still being written; `list` leaves them out. */
const unfinished = ".part";

/** Backups in a folder: a disk of this computer, a stick, a mount of another one. Files are for their owner only. */
export class FolderStore implements BackupStore {
  readonly place: string;

  constructor(folder: string) {
    this.place = path.resolve(folder);
  }

  private file(key: string): string {
    const file = path.join(this.place, key);
    if (path.relative(this.place, file).startsWith("..")) throw new StoreError(`${key} is no key of a backup`);
    return file;
  }

  async put(key: string, content: Readable): Promise<number> {
    const file = this.file(key);
    const temporary = `${file}.${randomBytes(4).toString("hex")}${unfinished}`;
    try {
      fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
      await pipeline(content, fs.createWriteStream(temporary, { mode: 0o600, flush: true }));
      fs.renameSync(temporary, file);
      sync(path.dirname(file));
      return fs.statSync(file).size;
    } catch (error) {
      fs.rmSync(temporary, { force: true });
      throw said(error, this.place);
    }
  }

  get(key: string): Promise<Readable> {
    const file = this.file(key);
    if (!fs.existsSync(file)) return Promise.reject(new StoreError(`${this.place} has no ${key}`));
    return Promise.resolve(fs.createReadStream(file, { highWaterMark: 1 << 18 }));
  }

  list(prefix: string): Promise<Stored[]> {
    const folder = this.file(prefix.slice(0, prefix.lastIndexOf("/") + 1));
    if (!fs.existsSync(folder)) return Promise.resolve([]);
    const found = fs
      .readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith(unfinished))
      .map((entry) => path.join(entry.parentPath, entry.name))
      .map((file) => ({
        key: path.relative(this.place, file).split(path.sep).join("/"),
        bytes: fs.statSync(file).size,
      }))
      .filter(({ key }) => key.startsWith(prefix));
    return Promise.resolve(found.sort((a, b) => (a.key < b.key ? -1 : 1)));
  }

  remove(key: string): Promise<void> {
    const file = this.file(key);
    fs.rmSync(file, { force: true });
    const folder = path.dirname(file);
    if (folder !== this.place && fs.existsSync(folder) && fs.readdirSync(folder).length === 0) fs.rmdirSync(folder);
    return Promise.resolve();
  }
}

/** So that the name is on the disk as well as the content. */
function sync(folder: string): void {
  const handle = fs.openSync(folder, "r");
  try {
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
}

function said(error: unknown, place: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOSPC") return new StoreError(`${place} is full`);
  if (code === "EACCES" || code === "EROFS") return new StoreError(`${place} can not be written to (${code})`);
  return error;
}
