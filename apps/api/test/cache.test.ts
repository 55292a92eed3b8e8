import * as assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { RecentWrites } from "../src/cache/recent";
import { Postgres } from "./helpers/postgres";
import { type Running, ask, databaseName, running, until } from "./helpers/service";
import { Valkey } from "./helpers/valkey";

describe("the cache", function () {
  this.timeout(60_000);
  const server = new Postgres();
  const cache = new Valkey(server.authority);
  const client = path.join(server.folder, "client.pem");
  let a: Running;
  let b: Running;

  /** Both serve the same database. */
  const env = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
    DB_CA: server.caFile,
    CLIENT_CERT: client,
    CACHE_DIR: cache.login,
    CACHE_CA: server.caFile,
    ...more,
  });
  const up = (one: Running) =>
    until(
      "the cache",
      async () => (await ask(`${one.url}/metrics`)).text,
      (text) => text.includes("groundwork_api_cache_up 1"),
    );
  const reads = async (one: Running, kind: "item" | "list", outcome: "hit" | "miss" | "bypass"): Promise<number> => {
    const { text } = await ask(`${one.url}/metrics`);
    const line = `groundwork_api_cache_reads_total{kind="${kind}",outcome="${outcome}"} `;
    return Number(
      text
        .split("\n")
        .find((one) => one.startsWith(line))
        ?.slice(line.length) ?? 0,
    );
  };
  const made = async (name: string): Promise<string> =>
    (await ask(`${a.url}/items`, "POST", { name, quantity: 1 })).body.id;

  before(async () => {
    await server.start();
    await cache.start();
    const { cert, key } = server.authority.issue({ commonName: "api" });
    fs.writeFileSync(client, cert + key);
    const secret = await server.makeDatabase(databaseName());
    a = await running(env(), secret, true, server);
    b = await running(env(), secret, true, server);
    await Promise.all([up(a), up(b)]);
  });
  after(async () => {
    await Promise.all([a, b].map((one) => one?.end()));
    await cache.stop();
    await server.stop();
  });

  it("answers the second read, of an item and of a page, as the database did the first", async () => {
    const id = await made("cached");
    const hits = [await reads(a, "item", "hit"), await reads(a, "list", "hit")];
    const first = await ask(`${a.url}/items/${id}`);
    const second = await ask(`${a.url}/items/${id}`);
    assert.deepEqual([second.text, second.headers.get("etag")], [first.text, first.headers.get("etag")]);
    const page = await ask(`${a.url}/items?limit=2`);
    assert.equal((await ask(`${a.url}/items?limit=2`)).text, page.text);
    assert.equal((await ask(`${b.url}/items?limit=2`)).text, page.text, "of another replica's page too");
    assert.deepEqual([await reads(a, "item", "hit"), await reads(a, "list", "hit")], [hits[0]! + 1, hits[1]! + 1]);
    assert.equal(
      (await ask(`${a.url}/items/${id}`, "GET", undefined, { "if-none-match": first.headers.get("etag")! })).status,
      304,
    );
  });

  it("shows a change at once, to the replica that made it and to the other", async () => {
    const id = await made("changes");
    for (const one of [a, b]) await ask(`${one.url}/items/${id}`);
    for (const one of [a, b]) await ask(`${one.url}/items?limit=1`);
    await ask(`${a.url}/items/${id}`, "PATCH", { name: "changed" });
    for (const one of [a, b]) {
      assert.equal((await ask(`${one.url}/items/${id}`)).body.name, "changed");
      assert.equal((await ask(`${one.url}/items?limit=1`)).body.items[0]!.name, "changed");
    }
    await ask(`${a.url}/items/${id}`, "DELETE");
    for (const one of [a, b]) {
      assert.equal((await ask(`${one.url}/items/${id}`)).status, 404);
      assert.notEqual((await ask(`${one.url}/items?limit=1`)).body.items[0]?.id, id);
    }
  });

  it("never shows a replica something older than its own write, whatever the other puts there meanwhile", async () => {
    const id = await made("raced");
    let on = true;
    const others = Promise.all(
      Array.from({ length: 6 }, async (_, lane) => {
        while (on) await ask(lane % 2 ? `${b.url}/items/${id}` : `${b.url}/items?limit=1`);
      }),
    );
    for (let quantity = 2; quantity < 120; quantity++) {
      await ask(`${a.url}/items/${id}`, "PATCH", { quantity });
      const [item, page] = await Promise.all([ask(`${a.url}/items/${id}`), ask(`${a.url}/items?limit=1`)]);
      assert.deepEqual([item.body.quantity, page.body.items[0]!.quantity], [quantity, quantity]);
    }
    on = false;
    await others;
  });

  it("is not believed about an item that another replica put there late", async () => {
    const id = await made("late");
    const { text } = await ask(`${a.url}/items/${id}`);
    await ask(`${a.url}/items/${id}`, "PATCH", { quantity: 9 });
    const old = { ...(JSON.parse(text) as object), version: 1 };
    const { cert, key } = server.authority.issue({ commonName: "api" });
    const put = `SET api:1:item:${id} ${JSON.stringify(JSON.stringify(old))} PX 5000`;
    assert.match(await cache.ask([put], { cert, key }), /\+OK\r\n\+OK/);
    assert.equal(
      (await ask(`${b.url}/items/${id}`)).body.quantity,
      1,
      "the other replica can not know, until it expires",
    );
    assert.equal((await ask(`${a.url}/items/${id}`)).body.quantity, 9);
  });

  it("may hold nonsense: the database is asked", async () => {
    const id = await made("nonsense");
    const { cert, key } = server.authority.issue({ commonName: "api" });
    for (const value of ["{", "[]", '"null"', '"{\\"id\\":1}"']) {
      await cache.ask([`SET api:1:item:${id} ${value} PX 5000`], { cert, key });
      assert.equal((await ask(`${b.url}/items/${id}`)).body.name, "nonsense");
    }
  });

  it("may go away: requests are served, readiness stays, and what was written meanwhile is what is read when it is back", async () => {
    const id = await made("kept");
    await ask(`${a.url}/items/${id}`);
    cache.freeze(true);
    const started = Date.now();
    assert.equal((await ask(`${a.url}/items/${id}`)).status, 200);
    assert.equal((await ask(`${a.url}/items/${id}`, "PATCH", { quantity: 5 })).status, 200);
    assert.ok(Date.now() - started < 1000, `${Date.now() - started} ms with a cache that hangs`);
    assert.equal((await ask(`${a.url}/readyz`)).status, 200);
    assert.match((await ask(`${a.url}/metrics`)).text, /groundwork_api_cache_up 0/);
    cache.freeze(false);
    await sleep(1200);
    // The old value is still there, and the cache answers again.
    assert.equal((await ask(`${a.url}/items/${id}`)).body.quantity, 5);
    assert.equal((await ask(`${a.url}/items?limit=1`)).body.items[0]!.quantity, 5);

    await cache.down();
    assert.equal((await ask(`${a.url}/items/${id}`)).body.quantity, 5);
    assert.equal((await ask(`${a.url}/items`, "POST", { name: "without", quantity: 1 })).status, 201);
    assert.equal((await ask(`${a.url}/readyz`)).status, 200);
    await cache.up();
    await Promise.all([up(a), up(b)]);
  });

  it("need not be there at the start", async () => {
    const absent = path.join(server.folder, "absent");
    const service = await running(env({ CACHE_DIR: absent }), a.secret, true, server);
    try {
      assert.equal((await ask(`${service.url}/items`)).status, 200);
      assert.match(
        (await ask(`${service.url}/metrics`)).text,
        /cache_credential_reloads_total\{outcome="unusable"\} 1/,
      );
      assert.ok((await reads(service, "list", "bypass")) > 0);
    } finally {
      await service.end();
    }
  });
});

describe("what was written lately", () => {
  it("says which version may be served, for as long as it can matter", () => {
    let now = 0;
    const recent = new RecentWrites(100, 10, () => now);
    recent.note("one", 3);
    recent.note("one", 2);
    assert.deepEqual([recent.floorOf("one"), recent.floorOf("other")], [3, 0]);
    recent.note("one", Infinity);
    assert.equal(recent.floorOf("one"), Infinity);
    recent.note("one", 5);
    assert.equal(recent.floorOf("one"), 5);
    now = 101;
    assert.equal(recent.floorOf("one"), 0);
  });

  it("believes no list for a while when the cache could not be told, and nothing when there was too much to remember", () => {
    let now = 0;
    const recent = new RecentWrites(100, 3, () => now);
    recent.suspectLists();
    assert.deepEqual([recent.itemsTrusted, recent.listsTrusted], [true, false]);
    now = 100;
    assert.equal(recent.listsTrusted, true);
    for (let n = 0; n < 4; n++) recent.note(randomUUID(), 1);
    assert.deepEqual([recent.itemsTrusted, recent.listsTrusted], [false, false]);
    now = 201;
    assert.deepEqual([recent.itemsTrusted, recent.listsTrusted], [true, true]);
  });
});
