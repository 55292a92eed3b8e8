import { createHash, randomUUID } from "node:crypto";
import type { PoolClient } from "pg";
import type { Database } from "../database/database";
import { Problem } from "../problem";
import type { Place } from "./cursor";
import type { Item, ItemInput } from "./item";

const COLUMNS = `id, name, description, quantity, version, created_at AS "createdAt", updated_at AS "updatedAt"`;

/** Hours for which an Idempotency-Key is remembered. */
export const KEY_LIFETIME_HOURS = 24;

/** Which versions a change may start from: any, or one of these. */
export type Expected = "any" | number[];

/** What a change came to. */
export type Change<T> = { outcome: "done"; value: T } | { outcome: "missing" } | { outcome: "changed" };

/** Items in PostgreSQL. Every method may throw Unavailable. */
export class ItemStore {
  constructor(private readonly database: Database) {}

  /** Adds an item. The id is made here, so that a repeated attempt cannot add a second one. */
  create(input: ItemInput): Promise<Item> {
    const id = randomUUID();
    return this.database.run(true, (client) => insert(client, id, input));
  }

  /**
   * {@link create}, once for each key: a repeated request gets the item as it was first made.
   * @throws Problem 422 when the key was used for another request.
   */
  createOnce(key: string, input: ItemInput): Promise<{ item: Item; replayed: boolean }> {
    const id = randomUUID();
    const hash = createHash("sha256")
      .update(JSON.stringify([input.name, input.description ?? null, input.quantity]))
      .digest();
    return this.database.transaction(true, async (client) => {
      // A second request with the key waits here until the first one's transaction has ended.
      const mine = await client.query(
        `INSERT INTO idempotency_keys (key, request_hash) VALUES ($1, $2)
         ON CONFLICT (key) DO UPDATE SET request_hash = excluded.request_hash, item = NULL, created_at = now()
           WHERE idempotency_keys.created_at < now() - make_interval(hours => $3)`,
        [key, hash, KEY_LIFETIME_HOURS],
      );
      if (mine.rowCount === 1) {
        const item = await insert(client, id, input);
        await client.query("UPDATE idempotency_keys SET item = $2 WHERE key = $1", [key, JSON.stringify(item)]);
        return { item, replayed: false };
      }
      const { rows } = await client.query<{ request_hash: Buffer; item: Item }>(
        "SELECT request_hash, item FROM idempotency_keys WHERE key = $1",
        [key],
      );
      const first = rows[0];
      if (!first || !first.request_hash.equals(hash)) {
        throw new Problem(422, "This Idempotency-Key was used for another request.", "idempotency-key-reused");
      }
      const { createdAt, updatedAt } = first.item;
      return {
        item: { ...first.item, createdAt: new Date(createdAt), updatedAt: new Date(updatedAt) },
        replayed: true,
      };
    });
  }

  /** Forgets keys past their lifetime. */
  async forgetKeys(): Promise<void> {
    await this.database.run(true, (client) =>
      client.query("DELETE FROM idempotency_keys WHERE created_at < now() - make_interval(hours => $1)", [
        KEY_LIFETIME_HOURS,
      ]),
    );
  }

  get(id: string): Promise<Item | undefined> {
    return this.database.run(true, async (client) => {
      const { rows } = await client.query<Item>(`SELECT ${COLUMNS} FROM items WHERE id = $1`, [id]);
      return rows[0];
    });
  }

  /** Newest first, at most `limit` items after `place`. New items never move what a reader has not yet seen. */
  list(limit: number, place?: Place): Promise<Item[]> {
    return this.database.run(true, async (client) => {
      const after = place ? "WHERE (created_at, id) < ($2, $3)" : "";
      const { rows } = await client.query<Item>(
        `SELECT ${COLUMNS} FROM items ${after} ORDER BY created_at DESC, id DESC LIMIT $1`,
        place ? [limit, place.createdAt, place.id] : [limit],
      );
      return rows;
    });
  }

  /** Changes the given fields; `null` clears the description. */
  update(id: string, fields: Partial<ItemInput>, expected: Expected): Promise<Change<Item>> {
    // Not repeatable: done twice, the second time would find the version changed, by itself. In a transaction, so that what
    // was lost before it counted (a lease that ended, a failover) can be done again all the same.
    return this.database.transaction(false, async (client) => {
      const { rows } = await client.query<Item>(
        `UPDATE items SET
           name = coalesce($2, name),
           description = CASE WHEN $3 THEN $4 ELSE description END,
           quantity = coalesce($5, quantity),
           version = version + 1,
           updated_at = greatest(now(), updated_at)
         WHERE id = $1 AND ($6::integer[] IS NULL OR version = ANY ($6))
         RETURNING ${COLUMNS}`,
        [
          id,
          fields.name ?? null,
          fields.description !== undefined,
          fields.description ?? null,
          fields.quantity ?? null,
          expected === "any" ? null : expected,
        ],
      );
      return rows[0] ? { outcome: "done", value: rows[0] } : { outcome: await whyNot(client, id) };
    });
  }

  delete(id: string, expected: Expected): Promise<Change<undefined>> {
    return this.database.transaction(false, async (client) => {
      const { rowCount } = await client.query(
        "DELETE FROM items WHERE id = $1 AND ($2::integer[] IS NULL OR version = ANY ($2))",
        [id, expected === "any" ? null : expected],
      );
      return rowCount === 1 ? { outcome: "done", value: undefined } : { outcome: await whyNot(client, id) };
    });
  }
}

async function insert(client: PoolClient, id: string, input: ItemInput): Promise<Item> {
  const { rows } = await client.query<Item>(
    `INSERT INTO items (id, name, description, quantity) VALUES ($1, $2, $3, $4)
     ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING ${COLUMNS}`,
    [id, input.name, input.description ?? null, input.quantity],
  );
  return rows[0]!;
}

async function whyNot(client: PoolClient, id: string): Promise<"missing" | "changed"> {
  const { rowCount } = await client.query("SELECT 1 FROM items WHERE id = $1", [id]);
  return rowCount === 1 ? "changed" : "missing";
}
