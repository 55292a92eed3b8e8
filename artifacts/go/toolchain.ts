import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import type { Cache } from "../cache";
import { removeTree } from "../cache";
import { ArtifactError } from "../errors";
import { platform } from "../lockfile";
import { run } from "../run";

/** The toolchain that is fetched where the machine's own is missing or too old. renovate: datasource=golang-version depName=go */
export const GO_VERSION = "1.26.8";

/** Caches of one run's builds are dropped between two builds once they are larger than this, in KiB. */
const CACHE_LIMIT_KIB = 6 * 1024 * 1024;

/** A `go` command and the environment to run it with. */
export interface GoToolchain {
  command: string;
  version: string;
  env: NodeJS.ProcessEnv;
}

/**
 * Go for one run: finds or fetches a toolchain once, and gives all builds of the run one private module cache and build
 * cache, which `dispose` drops, unless the machine's own are to be used.
 */
export class Go {
  private readonly cache: Cache;
  private readonly log: string;
  private readonly say: (line: string) => void;
  private folder: string | undefined;
  private found: { command: string; version: string } | undefined;

  constructor(cache: Cache, log: string, say: (line: string) => void) {
    this.cache = cache;
    this.log = log;
    this.say = say;
  }

  /** A toolchain of at least that version. */
  async atLeast(wanted: string): Promise<GoToolchain> {
    this.found ??= onPath();
    if (this.found === undefined || !isAtLeast(this.found.version, wanted)) this.found = await this.provide(wanted);
    return { ...this.found, env: this.environment() };
  }

  /** Drops the caches when they have grown too large for the disk that a fetch may take. */
  trim(): void {
    if (this.folder === undefined) return;
    const size = spawnSync("du", ["-sk", this.folder], { encoding: "utf8" });
    if (Number(size.stdout.split("\t")[0]) > CACHE_LIMIT_KIB) this.dispose();
  }

  dispose(): void {
    if (this.folder !== undefined) removeTree(this.folder);
    this.folder = undefined;
  }

  private environment(): NodeJS.ProcessEnv {
    // Modules are as go.sum has them (-mod=readonly is the default), whatever this machine sets.
    const env: NodeJS.ProcessEnv = { ...process.env, GOTOOLCHAIN: "local", GOWORK: "off", GOFLAGS: "-buildvcs=false" };
    if (keepsBuildCaches(this.cache)) return env;
    this.folder ??= this.cache.scratch("go");
    const [modules, build] = [path.join(this.folder, "mod"), path.join(this.folder, "build")];
    // Module caches are read-only by default, which only root could delete.
    return { ...env, GOMODCACHE: modules, GOCACHE: build, GOFLAGS: `${env["GOFLAGS"]} -modcacherw` };
  }

  /**
   * Fetches the toolchain as the Go module that the go command itself would switch to, with Go's checksum database
   * behind it. Any go command can do that, also Debian's old one; where there is none, apt brings it.
   */
  private async provide(wanted: string): Promise<{ command: string; version: string }> {
    if (!isAtLeast(GO_VERSION, wanted)) {
      throw new ArtifactError(
        `a recipe wants Go ${wanted}, and GO_VERSION in artifacts/go/toolchain.ts is ${GO_VERSION}: raise it`,
      );
    }
    const folder = this.cache.path("toolchain", `go${GO_VERSION}.${platform}`);
    const command = path.join(folder, "bin", "go");
    if (!fs.existsSync(command)) {
      this.say(`Go ${wanted} or newer is needed to build: fetching Go ${GO_VERSION} as a module`);
      const loader = onPath() ?? (await this.installLoader());
      const scratch = this.cache.scratch("toolchain");
      const env = { ...this.environment(), GOMODCACHE: scratch, GOFLAGS: "-modcacherw" };
      const module = `golang.org/toolchain@v0.0.1-go${GO_VERSION}.${platform}`;
      const options = { what: `Go ${GO_VERSION}`, log: this.log, env, cwd: scratch, capture: true };
      const { Dir } = JSON.parse(await run(loader.command, ["mod", "download", "-json", module], options)) as {
        Dir: string;
      };
      // A module's files are not executable.
      for (const tools of ["bin", `pkg/tool/${platform.replace("-", "_")}`]) {
        const from = path.join(Dir, tools);
        for (const tool of fs.existsSync(from) ? fs.readdirSync(from) : []) fs.chmodSync(path.join(from, tool), 0o755);
      }
      fs.mkdirSync(path.dirname(folder), { recursive: true });
      fs.renameSync(Dir, folder);
      removeTree(scratch);
    }
    return { command, version: GO_VERSION };
  }

  private async installLoader(): Promise<{ command: string; version: string }> {
    if (process.getuid?.() !== 0) {
      throw new ArtifactError(
        `Go is needed to build what cannot be downloaded here: apt-get install golang-go, or Go ${GO_VERSION} from go.dev`,
      );
    }
    this.say("no go command here: installing Debian's golang-go to fetch it with");
    const options = { what: "golang-go", log: this.log, env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } };
    await run("apt-get", ["update"], options);
    await run("apt-get", ["install", "-y", "--no-install-recommends", "golang-go", "ca-certificates"], options);
    const found = onPath();
    if (found === undefined) {
      throw new ArtifactError("golang-go is installed, and there is still no go command on PATH");
    }
    return found;
  }
}

/**
 * Whether builds use the machine's own caches and leave them: told by GROUNDWORK_KEEP_BUILD_CACHES=1, or for good by a
 * file `keep-build-caches` in the artefact cache. For people who work on a stand-in.
 */
export function keepsBuildCaches(cache: Cache): boolean {
  return process.env["GROUNDWORK_KEEP_BUILD_CACHES"] === "1" || fs.existsSync(cache.path("keep-build-caches"));
}

function onPath(): { command: string; version: string } | undefined {
  const result = spawnSync("go", ["version"], { encoding: "utf8", env: { ...process.env, GOTOOLCHAIN: "local" } });
  const version = /go(\d+\.\d+(?:\.\d+)?)/.exec(result.stdout ?? "")?.[1];
  return result.status === 0 && version !== undefined ? { command: "go", version } : undefined;
}

/** Whether a dotted version is the wanted one or newer. */
export function isAtLeast(version: string, wanted: string): boolean {
  const [have, want] = [version, wanted].map((text) => text.split(".").map(Number));
  for (let part = 0; part < 3; part++) {
    const difference = (have?.[part] ?? 0) - (want?.[part] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
