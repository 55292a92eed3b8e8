import * as fs from "node:fs";
import * as path from "node:path";
import { catalogue, entryOf, type Entry, type Source } from "./catalogue";
import { stateFolder } from "../cli/paths";
import type { Cache, CacheEntry, IndexedArtifact } from "./cache";
import { removeTree } from "./cache";
import { bytes, duration, Durations } from "./durations";
import { ArtifactError, Unavailable } from "./errors";
import { exclusively } from "./exclusive";
import { Go } from "./go/toolchain";
import { keyOf, whereFrom } from "./keys";
import type { Lock } from "./lockfile";
import type { Reachability } from "./reach";
import { probeOf, runSource } from "./sources";
import type { ArtifactUi, BuildContext } from "./sources/context";

export interface ResolverOptions {
  cache: Cache;
  lock: Lock;
  reach: Reachability;
  ui: ArtifactUi;
  /** Take upstream's digests anew instead of checking against the lock. */
  updateLock?: boolean;
  /** For tests. Default: the project's catalogue. */
  entries?: readonly Entry[];
  /** For tests. Default: runs the source for real. */
  run?: typeof runSource;
  /** Folder of the logs. Default: `logs` in the state directory. */
  logs?: string;
}

/** Finds each entry in the cache, or gets it from the first of its sources that can give it. */
export class Resolver {
  private readonly options: ResolverOptions;
  private readonly entries: readonly Entry[];
  private readonly durations: Durations;
  private readonly done = new Map<string, Promise<IndexedArtifact>>();
  private go: Go | undefined;

  constructor(options: ResolverOptions) {
    this.options = options;
    this.entries = options.entries ?? catalogue;
    this.durations = new Durations(options.cache.folder);
  }

  /**
   * The artefacts of these names, one after the other: two cores are best used by one build at a time.
   * @param each called with each as soon as it is there, so that what an interrupted run finished counts
   */
  async all(
    names: string[],
    each: (artifact: IndexedArtifact) => Promise<void> = () => Promise.resolve(),
  ): Promise<IndexedArtifact[]> {
    const entries = names.map((name) => entryOf(name, this.entries)); // a wrong name is told before anything is built
    const found: IndexedArtifact[] = [];
    try {
      for (const entry of entries) {
        const artifact = await this.resolve(entry);
        await each(artifact);
        found.push(artifact);
      }
    } finally {
      this.go?.dispose();
    }
    return found;
  }

  /**
   * What is not in the cache, as far as is known without asking anybody: name, seconds to make it, and whether that
   * takes a compiler, with its caches on disk.
   */
  missing(names: string[]): { name: string; seconds: number; compiles: boolean }[] {
    const wanted = new Set<string>();
    const missing: { name: string; seconds: number; compiles: boolean }[] = [];
    const visit = (name: string): void => {
      if (wanted.has(name)) return;
      wanted.add(name);
      const entry = entryOf(name, this.entries);
      if (entry.sources.some((source) => this.cached(entry, source))) return;
      const source = entry.sources[entry.sources.length - 1] as Source;
      if (source.type === "part-of") visit(source.entry);
      if (source.type === "compose") {
        for (const layer of source.layers) {
          if ("tar" in layer) visit(layer.tar);
          else for (const file of layer.files ?? []) if ("entry" in file) visit(file.entry);
        }
      }
      const compiles = source.type === "go" || source.type === "image-set";
      missing.push({ name, seconds: this.durations.last(name, source.type) ?? source.seconds, compiles });
    };
    for (const name of names) visit(name);
    return missing;
  }

  private resolve(entry: Entry): Promise<IndexedArtifact> {
    let resolving = this.done.get(entry.name);
    if (resolving === undefined) {
      resolving = this.fromSources(entry);
      this.done.set(entry.name, resolving);
    }
    return resolving;
  }

  private async fromSources(entry: Entry): Promise<IndexedArtifact> {
    const reasons: string[] = [];
    for (const source of entry.sources) {
      const cached = this.cached(entry, source);
      if (cached && !this.options.updateLock) return { ...this.options.cache.artifact(cached), parts: source.parts };
      const refusal = await this.refusal(entry, source);
      if (refusal !== undefined) {
        reasons.push(refusal);
        continue;
      }
      try {
        return await this.make(entry, source, reasons);
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        reasons.push(error.message);
      }
    }
    throw new ArtifactError(`${entry.name} ${entry.version} is not to be had: ${reasons.join("; ")}.`);
  }

  private cached(entry: Entry, source: Source): CacheEntry | undefined {
    return this.options.cache.find(entry.name, keyOf(entry, source, this.options.lock, this.entries));
  }

  /** Why a source need not be tried. */
  private async refusal(entry: Entry, source: Source): Promise<string | undefined> {
    if (source.type === "part-of") {
      const { parts } = await this.resolve(entryOf(source.entry, this.entries));
      return parts === source.parts
        ? undefined
        : `the ${source.parts} ${source.entry}, which it comes with, is not to be had`;
    }
    const probe = probeOf(source, entry.image);
    if (probe === undefined || (await this.options.reach.of(probe.url, probe.accept))) return undefined;
    return `${new URL(probe.url).host} is not reachable`;
  }

  private async make(entry: Entry, source: Source, reasons: string[]): Promise<IndexedArtifact> {
    const { cache, lock, ui } = this.options;
    const key = keyOf(entry, source, lock, this.entries);
    const wait = (): void => ui.say(`${entry.name}: another run is making it; waiting for that`);
    return exclusively(cache.path("locks", `${entry.name}.lock`), wait, async () => {
      const meanwhile = cache.find(entry.name, key);
      if (meanwhile && !this.options.updateLock) return cache.artifact(meanwhile);
      cache.sweep();
      const log = path.join(this.options.logs ?? stateFolder("logs"), `artifact-${entry.name}.log`);
      fs.writeFileSync(log, `${entry.name} ${entry.version} from ${whereFrom(source)}, ${new Date().toISOString()}\n`);
      this.announce(entry, source, reasons, log);
      const scratch = cache.scratch(entry.name);
      const began = Date.now();
      try {
        const out = path.join(scratch, "out");
        fs.mkdirSync(out);
        const built = await (this.options.run ?? runSource)(source, this.context(entry, out, scratch, log));
        const seconds = (Date.now() - began) / 1000;
        const kept = await cache.keep(out, {
          name: entry.name,
          version: entry.version,
          parts: source.parts,
          key: keyOf(entry, source, lock, this.entries), // the lock may have got its digest
          file: entry.file,
          source: built.source,
          seconds,
          ...(built.ref === undefined ? {} : { ref: built.ref }),
        });
        this.durations.note(entry.name, source.type, seconds);
        ui.say(`${entry.name}: done in ${duration(seconds)}, ${bytes(kept.size)}`);
        return cache.artifact(kept);
      } finally {
        removeTree(scratch);
        this.go?.trim();
      }
    });
  }

  private announce(entry: Entry, source: Source, reasons: string[], log: string): void {
    const last = this.durations.last(entry.name, source.type);
    const time = last === undefined ? `about ${duration(source.seconds)}` : `${duration(last)} last time`;
    const why = reasons.length > 0 ? `${reasons.join("; ")}. ` : "";
    this.options.ui.say(
      `${entry.name} ${entry.version}: ${why}Making it from ${whereFrom(source)} (${time}; log ${log})`,
    );
  }

  private context(entry: Entry, out: string, scratch: string, log: string): BuildContext {
    return {
      entry,
      out,
      scratch,
      log,
      say: (line) => this.options.ui.say(`${entry.name}: ${line}`),
      lock: this.options.lock,
      updateLock: this.options.updateLock ?? false,
      need: (name) => this.resolve(entryOf(name, this.entries)),
      go: (version) => {
        this.go ??= new Go(this.options.cache, log, (line) => this.options.ui.say(line));
        return this.go.atLeast(version);
      },
    };
  }
}
