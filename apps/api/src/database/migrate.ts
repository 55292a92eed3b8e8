import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { PoolClient } from "pg";
import type { Logger } from "pino";
import type { Database } from "./database";
import { type Migration, migrations as embedded } from "./migrations";

/** Any number that no one else uses for an advisory lock in this database. */
const LOCK = 7_311_402_118;

/** A schema that this build must not touch: waiting does not help, someone has to look. */
export class MigrationError extends Error {}

/** SHA-256 of a step's SQL, in hex. */
export const checksum = (migration: Migration): string => createHash("sha256").update(migration.sql).digest("hex");

interface Applied {
  id: number;
  name: string;
  checksum: string;
}

/** Checks what the database has against what this build knows, and returns the steps that are missing. */
export function plan(applied: readonly Applied[], known: readonly Migration[]): Migration[] {
  for (const row of applied) {
    const same = known.find((migration) => migration.id === row.id);
    // A newer build was here; its steps are compatible with this one by the rule in migrations.ts.
    if (!same) continue;
    if (checksum(same) !== row.checksum) {
      throw new MigrationError(`migration ${row.id} (${row.name}) was changed after it had been applied`);
    }
  }
  const done = new Set(applied.map((row) => row.id));
  const missing = known.filter((migration) => !done.has(migration.id));
  const newest = Math.max(0, ...done);
  const late = missing.find((migration) => migration.id < newest);
  if (late) throw new MigrationError(`migration ${late.id} (${late.name}) is missing below applied ones`);
  return missing;
}

async function lock(client: PoolClient): Promise<void> {
  // Trying, not waiting: a waiting statement would hit the statement timeout while another replica migrates.
  for (;;) {
    const { rows } = await client.query<{ got: boolean }>("SELECT pg_try_advisory_lock($1) AS got", [LOCK]);
    if (rows[0]?.got) return;
    await sleep(100);
  }
}

/**
 * Brings the schema up to date: each step in a transaction of its own, one process at a time.
 * @returns how many steps were applied.
 * @throws MigrationError when a step was changed, is missing in between, or fails; Unavailable when the database is away.
 */
export function migrate(database: Database, log: Logger, steps: readonly Migration[] = embedded): Promise<number> {
  // Repeatable: what was applied is recorded in the step's own transaction.
  return database.run(true, async (client) => {
    await lock(client);
    try {
      await client.query(`CREATE TABLE IF NOT EXISTS schema_migrations (
        id integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`);
      const { rows } = await client.query<Applied>("SELECT id, name, checksum FROM schema_migrations ORDER BY id");
      const missing = plan(rows, steps);
      for (const step of missing) await apply(client, step, log);
      return missing.length;
    } finally {
      // The session may be gone, and the lock with it.
      await client.query("SELECT pg_advisory_unlock($1)", [LOCK]).catch(() => undefined);
    }
  });
}

async function apply(client: PoolClient, step: Migration, log: Logger): Promise<void> {
  const started = Date.now();
  await client.query("BEGIN");
  try {
    // A step may rewrite a table: the limits of ordinary requests do not fit.
    await client.query("SET LOCAL statement_timeout = '10min'; SET LOCAL lock_timeout = '30s'");
    await client.query({ text: step.sql, query_timeout: 600_000 } as { text: string });
    await client.query("INSERT INTO schema_migrations (id, name, checksum) VALUES ($1, $2, $3)", [
      step.id,
      step.name,
      checksum(step),
    ]);
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK").catch(() => undefined);
    // Class 42: the SQL itself is wrong. Everything else is judged by the caller.
    if ((error as { code?: string }).code?.startsWith("42")) {
      throw new MigrationError(`migration ${step.id} (${step.name}) failed: ${(error as Error).message}`);
    }
    throw error;
  }
  log.info({ migration: step.id, name: step.name, ms: Date.now() - started }, "migration applied");
}
