import { randomUUID } from "node:crypto";
import type { Cache, CacheEvents } from "../cache/cache";
import { RecentWrites } from "../cache/recent";
import { Problem } from "../problem";
import { encodeCursor, type Place } from "./cursor";
import type { Item, ItemInput } from "./item";
import type { Change, Expected, ItemStore } from "./store";

/** What the routes need of a store. */
export type Items = Pick<ItemStore, "create" | "createOnce" | "get" | "list" | "update" | "delete">;

/** Names in the cache. The number changes with the form of the values. */
const PREFIX = "api:1:";
const itemKey = (id: string): string => `${PREFIX}item:${id}`;
/** Holds a random text; every list's name contains it, so a new text forgets all lists at once. */
const GENERATION = `${PREFIX}lists`;
const listKey = (generation: string, limit: number, place?: Place): string =>
  `${PREFIX}list:${generation}:${limit}:${place ? encodeCursor(place) : ""}`;

/** Milliseconds after which what was read is too old to be kept for others: the database's own limit for an answer. */
const READ_LIMIT = 5000;
/** Added to the time for which a value from before a write may be in the cache. */
const MARGIN = 1000;

/**
 * Items with reads out of a cache. The database decides everything; the cache is told about a change before the change is
 * answered. Other replicas' changes show at the latest when a value expires; one's own always, see {@link RecentWrites}.
 */
export class CachedItems implements Items {
  private readonly recent: RecentWrites;

  constructor(
    private readonly store: Items,
    private readonly cache: Cache,
    private readonly events: CacheEvents,
    /** Milliseconds for which a value is kept. */
    private readonly ttl: number,
  ) {
    this.recent = new RecentWrites(ttl + READ_LIMIT + MARGIN);
  }

  async get(id: string): Promise<Item | undefined> {
    if (!this.cache.usable || !this.recent.itemsTrusted || this.recent.floorOf(id) === Infinity) {
      this.events.read("item", "bypass");
      return this.store.get(id);
    }
    const found = await this.cache.ask((client) => client.get(itemKey(id)));
    const item = parsed(found?.answer, revived);
    // Looked at after the answer: this process may have written meanwhile.
    if (item && item.id === id && this.recent.itemsTrusted && item.version >= this.recent.floorOf(id)) {
      this.events.read("item", "hit");
      return item;
    }
    this.events.read("item", found ? "miss" : "bypass");
    const started = Date.now();
    const fresh = await this.store.get(id);
    if (fresh && found && Date.now() - started < READ_LIMIT && fresh.version >= this.recent.floorOf(id)) {
      this.keep(itemKey(id), fresh);
    }
    return fresh;
  }

  async list(limit: number, place?: Place): Promise<Item[]> {
    const generation = this.recent.listsTrusted
      ? // Names a generation where there is none, and says which one there is.
        await this.cache.ask(async (client) => {
          const made = randomUUID();
          return (await client.set(GENERATION, made, "NX", "GET")) ?? made;
        })
      : undefined;
    if (!generation) {
      this.events.read("list", "bypass");
      return this.store.list(limit, place);
    }
    const key = listKey(generation.answer, limit, place);
    const found = await this.cache.ask((client) => client.get(key));
    const items = parsed(found?.answer, revivedAll);
    if (items && this.recent.listsTrusted) {
      this.events.read("list", "hit");
      return items;
    }
    this.events.read("list", found ? "miss" : "bypass");
    const started = Date.now();
    const fresh = await this.store.list(limit, place);
    // In a generation that a change has ended meanwhile nobody looks any more.
    if (found && Date.now() - started < READ_LIMIT) this.keep(key, fresh);
    return fresh;
  }

  create(input: ItemInput): Promise<Item> {
    return this.changing(
      undefined,
      () => this.store.create(input),
      () => 0,
    );
  }

  createOnce(key: string, input: ItemInput): Promise<{ item: Item; replayed: boolean }> {
    return this.changing(
      undefined,
      () => this.store.createOnce(key, input),
      () => 0,
    );
  }

  update(id: string, fields: Partial<ItemInput>, expected: Expected): Promise<Change<Item>> {
    return this.changing(
      id,
      () => this.store.update(id, fields, expected),
      (change) => (change.outcome === "done" ? change.value.version : Infinity),
    );
  }

  delete(id: string, expected: Expected): Promise<Change<undefined>> {
    return this.changing(
      id,
      () => this.store.delete(id, expected),
      () => Infinity,
    );
  }

  /**
   * Does the change, then has it forgotten what the cache held. A change with an unknown outcome counts as done, and so does
   * one that found another version than expected: the client has read an old one and will read again.
   */
  private async changing<T>(id: string | undefined, work: () => Promise<T>, floorOf: (value: T) => number): Promise<T> {
    let value: T;
    try {
      value = await work();
    } catch (error) {
      // A problem of the client's was found before anything was written.
      if (!(error instanceof Problem)) await this.forget(id, Infinity);
      throw error;
    }
    await this.forget(id, floorOf(value));
    return value;
  }

  private async forget(id: string | undefined, floor: number): Promise<void> {
    if (id !== undefined) this.recent.note(id, floor);
    const done = await this.cache.ask((client) =>
      Promise.all([client.set(GENERATION, randomUUID()), id === undefined ? 0 : client.del(itemKey(id))]),
    );
    if (!done) this.recent.suspectLists();
  }

  /** Nobody waits for it. */
  private keep(key: string, value: Item | Item[]): void {
    void this.cache.ask((client) => client.set(key, JSON.stringify(value), "PX", this.ttl));
  }
}

function parsed<T>(text: string | null | undefined, form: (value: unknown) => T | undefined): T | undefined {
  if (text === null || text === undefined) return undefined;
  try {
    return form(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** An item out of its JSON; undefined where it is none. */
function revived(value: unknown): Item | undefined {
  const { id, name, description, quantity, version, createdAt, updatedAt } = value as Record<keyof Item, unknown>;
  const texts = [id, name, createdAt, updatedAt].every((text) => typeof text === "string");
  if (!texts || !Number.isInteger(quantity) || !Number.isInteger(version)) return undefined;
  if (description !== null && typeof description !== "string") return undefined;
  const item = value as Item;
  return { ...item, createdAt: new Date(item.createdAt), updatedAt: new Date(item.updatedAt) };
}

function revivedAll(value: unknown): Item[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const items = value.map(revived);
  return items.every((item) => item !== undefined) ? items : undefined;
}
