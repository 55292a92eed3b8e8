import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { escapeIdentifier, escapeLiteral } from "pg";
import { load } from "./helpers/load";
import { MountedSecret, type Postgres, postgres } from "./helpers/postgres";
import { type Running, ask, running, until } from "./helpers/service";

describe("the database", function () {
  this.timeout(60_000);
  let server: Postgres;
  let service: Running;
  const others: Running[] = [];

  before(async () => {
    server = await postgres();
  });
  beforeEach(async () => {
    service = await running();
  });
  afterEach(() => Promise.all([service, ...others.splice(0)].map((one) => one.end())));

  const connectionsOf = async (user: string): Promise<number> =>
    (await server.sql(`SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = ${escapeLiteral(user)}`))[0]![
      "n"
    ] as number;

  it("is reached over verified TLS", async () => {
    const rows = await server.sql(
      `SELECT DISTINCT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.usename = ${escapeLiteral(service.secret.name)}`,
    );
    assert.deepEqual(rows, [{ ssl: true }]);
  });

  it("is not spoken to when another CA signed its certificate", async () => {
    const other = new MountedSecret(fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-ca-")));
    execFileSync(
      "openssl",
      [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=test ca",
        "-days",
        "2",
        "-keyout",
        "/dev/null",
      ].concat("-out", path.join(other.folder, "made.crt")),
      { stdio: "ignore" },
    );
    other.write({ "ca.crt": fs.readFileSync(path.join(other.folder, "made.crt"), "utf8") });
    const env = { DB_CA: path.join(other.folder, "ca.crt") };
    const wary = await running({ ...env, DB_RETRY_BUDGET_MS: "0" }, service.secret, false);
    try {
      const text = await until(
        "the refusal",
        async () => wary.logs.join(""),
        (all) => all.includes("not reachable"),
      );
      assert.match(text, /certificate/);
      assert.equal((await ask(`${wary.url}/readyz`)).status, 503);
      assert.equal((await ask(`${wary.url}/items`)).status, 503);
      // The CA is renewed in place, as its operator would do it.
      other.write({ "ca.crt": fs.readFileSync(server.caFile, "utf8") });
      await until(
        "ready",
        () => ask(`${wary.url}/readyz`),
        ({ status }) => status === 200,
      );
    } finally {
      await wary.end();
      other.remove();
    }
  });

  it("gets a rotated password and user without a failed request", async () => {
    // More requests than connections: some wait for one whenever the credentials change.
    const small = await running({ DB_POOL_SIZE: "3" });
    others.push(small);
    const { secret } = small;
    const stop = load(small.url, 16, true);
    const old = secret.name;
    const next = `${old}_next`;
    const password = randomBytes(9).toString("hex");
    await server.sql(
      `CREATE ROLE ${escapeIdentifier(next)} LOGIN PASSWORD ${escapeLiteral(password)} IN ROLE ${escapeIdentifier(old)}`,
    );
    secret.write({ username: next, password });
    await until(
      "connections of the new user",
      () => connectionsOf(next),
      (count) => count > 0,
    );
    await until(
      "no connections of the old user",
      () => connectionsOf(old),
      (count) => count === 0,
    );
    // The password alone, as an operator rotates it: first in the database, a moment later in the files.
    const again = randomBytes(9).toString("hex");
    await server.sql(`ALTER ROLE ${escapeIdentifier(next)} PASSWORD ${escapeLiteral(again)}`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    secret.write({ password: again });
    await new Promise((resolve) => setTimeout(resolve, 500));
    const counts = await stop();
    assert.deepEqual(Object.keys(counts).sort(), ["200", "201"], JSON.stringify(counts));
    const { text } = await ask(`${small.url}/metrics`);
    assert.match(text, /credential_reloads_total\{outcome="rotated"\} 2/);
    assert.doesNotMatch(text, /retries_total\{reason="pool-/, "nobody who waited for a connection was forgotten");
    assert.ok(!small.logs.join("").includes(password) && !small.logs.join("").includes(again));
  });

  it("keeps the old credentials when the new files are unusable", async () => {
    service.secret.write({ port: "none" });
    await until(
      "the look at the files",
      async () => service.logs.join(""),
      (text) => text.includes("credentials unusable"),
    );
    assert.equal((await ask(`${service.url}/items`)).status, 200);
    service.secret.write({ port: String(server.port) });
  });

  it("may restart: reads and new items wait for it instead of failing", async () => {
    const { body } = await ask(`${service.url}/items`, "POST", { name: "stays", quantity: 1 });
    const stop = load(service.url, 6, true);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await server.down("SIGINT");
    await server.up();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const counts = await stop();
    assert.deepEqual(Object.keys(counts).sort(), ["200", "201"], JSON.stringify(counts));
    assert.equal((await ask(`${service.url}/items/${body.id}`)).body.name, "stays");
    assert.match((await ask(`${service.url}/metrics`)).text, /database_retries_total\{reason="\w+"\} [1-9]/);
  });

  it("may crash: the service says 503 with Retry-After, is alive but not ready, and recovers by itself", async () => {
    const impatient = await running({ DB_RETRY_BUDGET_MS: "300" });
    try {
      const { body } = await ask(`${impatient.url}/items`, "POST", { name: "stays", quantity: 1 });
      await server.down("SIGQUIT");
      const read = await ask(`${impatient.url}/items/${body.id}`);
      assert.equal(read.status, 503);
      assert.equal(read.headers.get("retry-after"), "2");
      assert.equal(read.body.type, "urn:groundwork:problem:database-unavailable");
      assert.equal((await ask(`${impatient.url}/healthz`)).status, 200);
      const ready = await until(
        "not ready",
        () => ask(`${impatient.url}/readyz`),
        ({ status }) => status === 503,
      );
      assert.equal(ready.body.database, "unreachable");
      await server.up();
      await until(
        "ready",
        () => ask(`${impatient.url}/readyz`),
        ({ status }) => status === 200,
      );
      assert.equal((await ask(`${impatient.url}/items/${body.id}`)).body.name, "stays");
    } finally {
      await impatient.end();
    }
  });

  it("that turns read-only (a demoted primary) is left for a new connection, writes included", async () => {
    await ask(`${service.url}/items`);
    const name = escapeIdentifier(service.secret.name);
    await server.sql(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    // New sessions are read-only now; end the old ones, so that the service meets such a session.
    await server.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${escapeLiteral(service.secret.name)}`,
    );
    const writing = ask(`${service.url}/items`, "POST", { name: "later", quantity: 1 });
    await new Promise((resolve) => setTimeout(resolve, 400));
    await server.sql(`ALTER DATABASE ${name} RESET default_transaction_read_only`);
    assert.equal((await writing).status, 201);
    assert.match((await ask(`${service.url}/metrics`)).text, /database_retries_total\{reason="25006"\} [1-9]/);
  });

  it("may lose a connection in the middle: a new item is made once, a change is done once", async () => {
    const { body } = await ask(`${service.url}/items`, "POST", { name: "changed", quantity: 1 });
    const holder = server.sql("BEGIN; LOCK TABLE items; SELECT pg_sleep(1.5); COMMIT", service.secret.name);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const making = ask(`${service.url}/items`, "POST", { name: "made", quantity: 1 }, { "idempotency-key": "one" });
    const changing = ask(`${service.url}/items/${body.id}`, "PATCH", { quantity: 2 });
    await until(
      "both wait for the lock",
      async () =>
        (
          await server.sql(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE usename = ${escapeLiteral(service.secret.name)} AND wait_event_type = 'Lock' AND state = 'active'`,
          )
        ).length,
      (count) => count > 0,
    );
    await holder;
    assert.equal((await making).status, 201);
    // It had not been committed: the server forgot it, so that doing it again is doing it once.
    assert.equal((await changing).status, 200);
    const rows = await server.sql("SELECT name, version FROM items ORDER BY name", service.secret.name);
    assert.deepEqual(rows, [
      { name: "changed", version: 2 },
      { name: "made", version: 1 },
    ]);
  });

  it("forgets idempotency keys after a day", async () => {
    const post = (quantity: number) =>
      ask(`${service.url}/items`, "POST", { name: "day", quantity }, { "idempotency-key": "daily" });
    assert.equal((await post(1)).status, 201);
    assert.equal((await post(2)).status, 422);
    await server.sql("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'", service.secret.name);
    assert.equal((await post(2)).status, 201);
    assert.equal((await post(2)).headers.get("idempotency-replayed"), "true");
  });

  it("gives a statement that takes too long up", async () => {
    await ask(`${service.url}/items`, "POST", { name: "slow", quantity: 1 });
    await server.sql("ALTER TABLE items RENAME TO items_real", service.secret.name);
    await server.sql(
      "CREATE VIEW items AS SELECT items_real.* FROM items_real, (SELECT pg_sleep(60)) AS slow",
      service.secret.name,
    );
    await server.sql(`GRANT SELECT ON items TO PUBLIC`, service.secret.name);
    await server.sql(`GRANT SELECT ON items_real TO PUBLIC`, service.secret.name);
    const started = Date.now();
    assert.equal((await ask(`${service.url}/items`)).status, 503);
    assert.ok(Date.now() - started < 6000);
  });
});
