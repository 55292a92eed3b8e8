import * as fs from "node:fs";
import * as path from "node:path";
import { root } from "../cli/paths";
import { ArtifactError } from "./errors";

/** What the lock knows of one upstream file or image on one platform. */
export interface LockedUpstream {
  /** The URL, or the image's reference. */
  from: string;
  /** Hex SHA-256: of the file as downloaded, or of the image's manifest. */
  sha256: string;
}

/** artifacts/lock.json. */
export interface LockFile {
  /** Digests of what upstream publishes, by `name@version/platform`. */
  upstream: Record<string, LockedUpstream>;
  /** Hashes of the recipes of what is built instead, by `name@version/source`: a change of a recipe shows in review. */
  recipes: Record<string, string>;
}

export const lockFile = path.join(root, "artifacts", "lock.json");

/** The digests that upstream's files must have. Reviewed like code; `--update-lock` replaces, a first run only adds. */
export class Lock {
  private readonly file: string;
  private content: LockFile;

  constructor(file = lockFile) {
    this.file = file;
    this.content = read(file);
  }

  upstream(name: string, version: string): LockedUpstream | undefined {
    return this.content.upstream[key(name, version)];
  }

  /**
   * Notes a digest.
   * @returns false when the lock already had it
   */
  record(name: string, version: string, locked: LockedUpstream): boolean {
    const known = this.content.upstream[key(name, version)];
    if (known?.sha256 === locked.sha256 && known.from === locked.from) return false;
    this.write((content) => (content.upstream[key(name, version)] = locked));
    return true;
  }

  /** The hashes of the recipes as reviewed, for all platforms. */
  recipes(): Record<string, string> {
    return this.content.recipes;
  }

  /** Notes this platform's recipes; those of entries that are gone go too. */
  setRecipes(recipes: Record<string, string>): void {
    this.write((content) => {
      const others = Object.entries(content.recipes).filter(([id]) => !id.endsWith(`-${platform}`));
      content.recipes = { ...Object.fromEntries(others), ...recipes };
    });
  }

  private write(change: (content: LockFile) => void): void {
    const content = read(this.file); // another process may have added something
    change(content);
    const sorted: LockFile = { upstream: sortKeys(content.upstream), recipes: sortKeys(content.recipes) };
    const temporary = `${this.file}.${process.pid}.tmp`;
    fs.writeFileSync(temporary, `${JSON.stringify(sorted, undefined, 2)}\n`);
    fs.renameSync(temporary, this.file);
    this.content = sorted;
  }
}

/** The platform of this machine in Go's terms, as release files are named. */
export const platform = `linux-${process.arch === "x64" ? "amd64" : process.arch}`;

const key = (name: string, version: string): string => `${name}@${version}/${platform}`;

const sortKeys = <T>(record: Record<string, T>): Record<string, T> =>
  Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));

function read(file: string): LockFile {
  if (!fs.existsSync(file)) return { upstream: {}, recipes: {} };
  try {
    const content = JSON.parse(fs.readFileSync(file, "utf8")) as Partial<LockFile>;
    return { upstream: content.upstream ?? {}, recipes: content.recipes ?? {} };
  } catch (error) {
    throw new ArtifactError(`${file} is not valid JSON (${(error as Error).message}); restore it from git`);
  }
}
