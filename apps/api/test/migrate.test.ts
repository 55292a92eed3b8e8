import * as assert from "node:assert/strict";
import pino from "pino";
import { readConfig } from "../src/config";
import { Database } from "../src/database/database";
import { MigrationError, checksum, migrate, plan } from "../src/database/migrate";
import { type Migration, migrations } from "../src/database/migrations";
import { type MountedSecret, type Postgres, postgres } from "./helpers/postgres";
import { databaseName } from "./helpers/service";

const silent = pino({ level: "silent" });
const one: Migration = { id: 1, name: "one", sql: "CREATE TABLE one (n integer)" };
const two: Migration = { id: 2, name: "two", sql: "INSERT INTO one VALUES (1); SELECT pg_sleep(0.2)" };
const applied = (migration: Migration) => ({ ...migration, checksum: checksum(migration) });

describe("the plan of migrations", () => {
  it("is what is missing, in order", () => {
    assert.deepEqual(plan([], [one, two]), [one, two]);
    assert.deepEqual(plan([applied(one)], [one, two]), [two]);
    assert.deepEqual(plan([applied(one), applied(two)], [one, two]), []);
  });

  it("accepts steps of a newer build", () => {
    assert.deepEqual(plan([applied(one), applied(two)], [one]), []);
  });

  it("refuses a changed step and one that is missing below applied ones", () => {
    assert.throws(() => plan([applied(one)], [{ ...one, sql: "SELECT 1" }]), /migration 1 \(one\) was changed/);
    assert.throws(() => plan([applied(two)], [one, two]), /migration 1 \(one\) is missing below/);
  });

  it("finds the embedded steps numbered without gaps", () => {
    assert.deepEqual(
      migrations.map((migration) => migration.id),
      migrations.map((_, index) => index + 1),
    );
  });
});

describe("migrations", function () {
  this.timeout(60_000);
  let server: Postgres;
  let secret: MountedSecret;
  const open: Database[] = [];
  const connect = (): Database => {
    const { database } = readConfig({ DB_DIR: secret.folder, DB_CA: server.caFile });
    const made = new Database(database, silent, {
      retried: () => undefined,
      reloaded: () => undefined,
      certified: () => undefined,
    });
    open.push(made);
    return made;
  };

  beforeEach(async () => {
    server = await postgres();
    secret = await server.makeDatabase(databaseName());
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((database) => database.close()));
    secret.remove();
  });

  it("are applied once, and the second time there is nothing to do", async () => {
    assert.equal(await migrate(connect(), silent), migrations.length);
    assert.equal(await migrate(connect(), silent), 0);
    const rows = await server.sql("SELECT id, checksum FROM schema_migrations ORDER BY id", secret.name);
    assert.deepEqual(
      rows,
      migrations.map((migration) => ({ id: migration.id, checksum: checksum(migration) })),
    );
  });

  it("are applied once by many processes at the same time", async () => {
    const counts = await Promise.all(Array.from({ length: 6 }, () => migrate(connect(), silent, [one, two])));
    assert.deepEqual(counts.sort(), [0, 0, 0, 0, 0, 2]);
    assert.deepEqual(await server.sql("SELECT n FROM one", secret.name), [{ n: 1 }]);
  });

  it("leave nothing of a step that fails, and keep the ones before it", async () => {
    const bad = { id: 2, name: "bad", sql: "CREATE TABLE half (n integer); SELECT no_such_function()" };
    await assert.rejects(migrate(connect(), silent, [one, bad]), (error: Error) => {
      assert.ok(error instanceof MigrationError);
      assert.match(error.message, /^migration 2 \(bad\) failed: function no_such_function\(\) does not exist/);
      return true;
    });
    const [row] = await server.sql("SELECT to_regclass('half') AS half, to_regclass('one') AS one", secret.name);
    assert.deepEqual(row, { half: null, one: "one" });
    assert.equal(await migrate(connect(), silent, [one, two]), 1, "the lock is free again");
  });

  it("are refused when the database has another text of a step", async () => {
    await migrate(connect(), silent, [one]);
    await assert.rejects(migrate(connect(), silent, [{ ...one, sql: "SELECT 1" }]), /was changed after/);
  });
});
