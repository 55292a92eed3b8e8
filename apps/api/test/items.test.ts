import * as assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { postgres } from "./helpers/postgres";
import { type Running, ask, running } from "./helpers/service";

describe("items", function () {
  this.timeout(60_000);
  let service: Running;
  let items: string;

  before(async () => {
    service = await running();
    items = `${service.url}/items`;
  });
  after(() => service.end());

  const make = (fields: object = {}) => ask(items, "POST", { name: "bolt", quantity: 3, ...fields });

  it("creates, reads, replaces, changes and deletes", async () => {
    const made = await make({ description: "M8 × 40 — Größe ✓" });
    assert.equal(made.status, 201);
    assert.equal(made.headers.get("location"), `/items/${made.body.id}`);
    assert.equal(made.headers.get("etag"), '"1"');
    assert.deepEqual(Object.keys(made.body).sort(), [
      "createdAt",
      "description",
      "id",
      "name",
      "quantity",
      "updatedAt",
    ]);
    const at = service.url + made.headers.get("location");

    const read = await ask(at);
    assert.equal(read.status, 200);
    assert.deepEqual(read.body, made.body);

    const replaced = await ask(at, "PUT", { name: "nut", quantity: 0 });
    assert.equal(replaced.status, 200);
    assert.equal(replaced.headers.get("etag"), '"2"');
    assert.deepEqual([replaced.body.name, replaced.body.description, replaced.body.quantity], ["nut", null, 0]);
    assert.equal(replaced.body.createdAt, made.body.createdAt);

    const changed = await ask(at, "PATCH", { quantity: 9 }, { "content-type": "application/merge-patch+json" });
    assert.equal(changed.status, 200);
    assert.deepEqual([changed.body.name, changed.body.quantity], ["nut", 9]);

    const gone = await ask(at, "DELETE");
    assert.equal(gone.status, 204);
    assert.equal(gone.text, "");
    assert.equal((await ask(at)).status, 404);
    assert.equal((await ask(at, "DELETE")).status, 404);
    assert.equal((await ask(at, "PATCH", { quantity: 1 })).status, 404);
  });

  it("clears a description by null and keeps it when a patch does not name it", async () => {
    const { body } = await make({ description: "long" });
    assert.equal((await ask(`${items}/${body.id}`, "PATCH", { quantity: 1 })).body.description, "long");
    assert.equal((await ask(`${items}/${body.id}`, "PATCH", { description: null })).body.description, null);
  });

  it("lets only one of many concurrent changes from the same version through", async () => {
    const { body } = await make();
    const at = `${items}/${body.id}`;
    const tries = await Promise.all(
      Array.from({ length: 20 }, (_, n) => ask(at, "PATCH", { quantity: n }, { "if-match": '"1"' })),
    );
    const statuses = tries.map((answer) => answer.status);
    assert.equal(statuses.filter((status) => status === 200).length, 1);
    assert.equal(statuses.filter((status) => status === 412).length, 19);
    assert.equal((await ask(at)).headers.get("etag"), '"2"');
  });

  it("honours If-Match and If-None-Match", async () => {
    const { body } = await make();
    const at = `${items}/${body.id}`;
    const match = (tag: string) => ask(at, "PUT", { name: "x", quantity: 1 }, { "if-match": tag });
    assert.equal((await match('"7"')).status, 412);
    assert.equal((await match('W/"1"')).status, 412, "weak tags never match");
    assert.equal((await match("nonsense")).status, 412);
    assert.equal((await match('"9", "1"')).status, 200);
    assert.equal((await match("*")).status, 200);
    assert.equal((await ask(at, "GET", undefined, { "if-none-match": 'W/"3"' })).status, 304);
    assert.equal((await ask(at, "GET", undefined, { "if-none-match": '"2"' })).status, 200);
    assert.equal((await ask(at, "DELETE", undefined, { "if-match": '"1"' })).status, 412);
    assert.equal((await ask(at, "DELETE", undefined, { "if-match": '"3"' })).status, 204);
    assert.equal((await match("*")).status, 404);
  });

  it("adds one item for many requests with the same Idempotency-Key", async () => {
    const key = { "idempotency-key": randomUUID() };
    const name = `once ${randomUUID()}`;
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(items, "POST", { name, quantity: 1 }, key)));
    assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [201]);
    assert.equal(new Set(answers.map((answer) => JSON.stringify(answer.body))).size, 1);
    assert.equal(answers.filter((answer) => answer.headers.get("idempotency-replayed") === "true").length, 7);
    const other = await ask(items, "POST", { name, quantity: 2 }, key);
    assert.equal(other.status, 422);
    assert.equal(other.body.type, "urn:groundwork:problem:idempotency-key-reused");
  });

  it("replays the item as it was made, after it was changed and deleted", async () => {
    const key = { "idempotency-key": randomUUID() };
    const first = await ask(items, "POST", { name: "kept", quantity: 1 }, key);
    await ask(`${items}/${first.body.id}`, "DELETE");
    const again = await ask(items, "POST", { name: "kept", quantity: 1 }, key);
    assert.deepEqual([again.status, again.body], [201, first.body]);
  });
});

describe("pages of items", function () {
  this.timeout(60_000);
  let service: Running;
  let items: string;

  before(async () => {
    service = await running();
    items = `${service.url}/items`;
  });
  after(() => service.end());

  it("walks all items once, newest first, while others are added and deleted", async () => {
    const made: string[] = [];
    for (let n = 0; n < 25; n++) made.push((await ask(items, "POST", { name: `n${n}`, quantity: n })).body.id);
    const seen: string[] = [];
    let cursor: string | null = "";
    do {
      const page = await ask(`${items}?limit=7${cursor ? `&cursor=${cursor}` : ""}`);
      assert.equal(page.status, 200);
      assert.ok(page.body.items.length <= 7);
      seen.push(...page.body.items.map((item: { id: string }) => item.id));
      cursor = page.body.next;
      // Neither may shift what comes next: a new one goes to the front, a seen one is behind us.
      await ask(items, "POST", { name: "late", quantity: 0 });
      await ask(`${items}/${seen.at(-1)}`, "DELETE");
    } while (cursor);
    assert.deepEqual([...seen].sort(), [...made].sort());
  });

  it("keeps items of the same millisecond apart", async () => {
    await (
      await postgres()
    ).sql(
      `INSERT INTO items (id, name, quantity, created_at)
       SELECT gen_random_uuid(), 'same', n, '2001-02-03 04:05:06.789Z' FROM generate_series(1, 30) n`,
      service.secret.name,
    );
    const seen = new Set<string>();
    let cursor: string | null = null;
    do {
      const page = await ask(`${items}?limit=4${cursor ? `&cursor=${cursor}` : ""}`);
      for (const item of page.body.items) if (item.name === "same") seen.add(item.id);
      cursor = page.body.next;
    } while (cursor);
    assert.equal(seen.size, 30);
  });

  it("has 20 items on a page by default, and says null after the last", async () => {
    const page = await ask(items);
    assert.equal(page.body.items.length, 20);
    const all = await ask(`${items}?limit=100`);
    assert.equal(all.body.next, null);
  });
});
