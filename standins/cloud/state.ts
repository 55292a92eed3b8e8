import * as fs from "node:fs";
import * as path from "node:path";
import { notFound } from "./errors";
import { type Action, type Kind, type Kinds, kinds, singular } from "./model";

/** Finished actions that are kept, as the API forgets them at some time, too. */
const keptActions = 2000;

interface Contents {
  next: number;
  objects: { [K in Kind]: Kinds[K][] };
  actions: Action[];
  /** What the backend was last told, by subject: it is told again only when that changes. */
  applied: Record<string, string>;
  requests: { total: number; byPath: Record<string, number> };
  /** What is left of the rate limit. */
  rate: { left: number; at: number };
}

/** All that the emulator knows, in one file of its folder that is replaced as a whole: a killed emulator comes back as it was. */
export class State {
  private readonly file: string;
  private readonly contents: Contents;
  private dirty = false;

  constructor(folder: string, rateLimit: number) {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.file = path.join(folder, "state.json");
    const empty = Object.fromEntries(kinds.map((kind) => [kind, []])) as unknown as Contents["objects"];
    this.contents = {
      next: 100_001,
      objects: empty,
      actions: [],
      applied: {},
      requests: { total: 0, byPath: {} },
      rate: { left: rateLimit, at: Date.now() },
    };
    if (!fs.existsSync(this.file)) return;
    const saved = JSON.parse(fs.readFileSync(this.file, "utf8")) as Contents;
    this.contents = { ...this.contents, ...saved, objects: { ...empty, ...saved.objects } };
  }

  get applied(): Record<string, string> {
    return this.contents.applied;
  }
  get requests(): Contents["requests"] {
    return this.contents.requests;
  }
  get rate(): Contents["rate"] {
    return this.contents.rate;
  }
  get actions(): readonly Action[] {
    return this.contents.actions;
  }
  get objects(): Contents["objects"] {
    return this.contents.objects;
  }

  nextId(): number {
    this.dirty = true;
    return this.contents.next++;
  }

  all<K extends Kind>(kind: K): readonly Kinds[K][] {
    return this.contents.objects[kind];
  }

  find<K extends Kind>(kind: K, id: number | null | undefined): Kinds[K] | undefined {
    return (this.contents.objects[kind] as Kinds[K][]).find((o) => o.id === id);
  }

  /** The object; throws `not_found`. */
  get<K extends Kind>(kind: K, id: number): Kinds[K] {
    const found = this.find(kind, id);
    if (!found) throw notFound(singular[kind], id);
    return found;
  }

  add<K extends Kind>(kind: K, object: Kinds[K]): Kinds[K] {
    (this.contents.objects[kind] as Kinds[K][]).push(object);
    this.dirty = true;
    return object;
  }

  remove(kind: Kind, id: number): void {
    const list = this.contents.objects[kind] as { id: number }[];
    const at = list.findIndex((o) => o.id === id);
    if (at >= 0) list.splice(at, 1);
    this.dirty = true;
  }

  addAction(action: Action): Action {
    this.contents.actions.push(action);
    if (this.contents.actions.length > keptActions) {
      const old = this.contents.actions.findIndex((a) => a.status !== "running");
      if (old >= 0) this.contents.actions.splice(old, 1);
    }
    this.dirty = true;
    return action;
  }

  /** Says that an object was changed in place. */
  touch(): void {
    this.dirty = true;
  }

  /** Writes what has changed. It is done before an answer is given: what a client was told outlives the emulator. */
  save(): void {
    if (!this.dirty) return;
    const next = `${this.file}.next`;
    fs.writeFileSync(next, JSON.stringify(this.contents), { mode: 0o600 });
    fs.renameSync(next, this.file);
    this.dirty = false;
  }
}
