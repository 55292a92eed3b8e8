import * as assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import { type Answer, type Running, ask, running } from "./helpers/service";

/** Every error has this shape, whatever caused it. */
function assertProblem(answer: Answer, status: number): void {
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  assert.match(answer.headers.get("content-type") ?? "", /^application\/problem\+json/);
  assert.equal(answer.body.status, status);
  for (const key of ["type", "title", "detail", "instance"] as const) {
    assert.equal(typeof answer.body[key], "string", key);
  }
  assert.doesNotMatch(JSON.stringify(answer.body), /node_modules|\.ts:|SELECT|stack/);
}

describe("what is refused", function () {
  this.timeout(60_000);
  let service: Running;
  let items: string;

  before(async () => {
    service = await running();
    items = `${service.url}/items`;
  });
  after(() => service.end());

  const good = { name: "bolt", quantity: 1 };
  const bodies: [string, unknown, string][] = [
    ["no name", { quantity: 1 }, "/name"],
    ["an empty name", { ...good, name: "" }, "/name"],
    ["a name of 201 characters", { ...good, name: "x".repeat(201) }, "/name"],
    ["a name with a line break", { ...good, name: "a\nb" }, "/name"],
    ["a NUL in the description", { ...good, description: "a\u0000b" }, "/description"],
    ["a description of 2001 characters", { ...good, description: "x".repeat(2001) }, "/description"],
    ["a quantity below zero", { ...good, quantity: -1 }, "/quantity"],
    ["a fraction", { ...good, quantity: 1.5 }, "/quantity"],
    ["a number in quotes", { ...good, quantity: "1" }, "/quantity"],
    ["a quantity past the database's integer", { ...good, quantity: 2 ** 31 }, "/quantity"],
    ["an unknown field", { ...good, colour: "red" }, "/colour"],
    ["an id of the client's own", { ...good, id: "00000000-0000-4000-8000-000000000000" }, "/id"],
  ];
  for (const [what, body, pointer] of bodies) {
    it(`${what} is refused with its place`, async () => {
      const answer = await ask(items, "POST", body);
      assertProblem(answer, 400);
      assert.equal(answer.body.type, "urn:groundwork:problem:validation");
      assert.deepEqual(
        answer.body.errors.map((error: { in: string; pointer: string }) => [error.in, error.pointer]),
        [["body", pointer]],
      );
    });
  }

  it("takes the longest name and description, counted in characters", async () => {
    const answer = await ask(items, "POST", { name: "🔩".repeat(200), description: "é".repeat(2000), quantity: 0 });
    assert.equal(answer.status, 201);
  });

  it("tells all mistakes of a body at once", async () => {
    const answer = await ask(items, "POST", { name: "", quantity: -1, extra: true });
    assertProblem(answer, 400);
    assert.equal(answer.body.errors.length, 3);
  });

  it("refuses bodies that are no JSON objects", async () => {
    for (const body of ["", "{", "null", "[]", '"text"', '{"name":"a","quantity":1,"__proto__":{"x":1}}']) {
      assertProblem(await ask(items, "POST", body), 400);
    }
  });

  it("refuses an empty patch", async () => {
    const { body } = await ask(items, "POST", good);
    assertProblem(await ask(`${items}/${body.id}`, "PATCH", {}), 400);
    assertProblem(await ask(`${items}/${body.id}`, "PATCH", { name: null }), 400);
  });

  it("refuses bad queries, cursors and ids", async () => {
    for (const query of ["limit=0", "limit=101", "limit=x", "limit=1&limit=2", "cursor=abc", "cursor=", "page=2"]) {
      assertProblem(await ask(`${items}?${query}`), 400);
    }
    assertProblem(await ask(`${items}/17`), 400);
    assertProblem(await ask(`${items}/%E0%A4%A`), 400);
  });

  it("refuses an Idempotency-Key that is too long", async () => {
    assertProblem(await ask(items, "POST", good, { "idempotency-key": "x".repeat(129) }), 400);
  });

  it("answers 404 for unknown paths and items", async () => {
    assertProblem(await ask(`${service.url}/nothing`), 404);
    assertProblem(await ask(`${items}/00000000-0000-4000-8000-000000000000`), 404);
  });

  it("answers 405 with Allow, and OPTIONS", async () => {
    const answer = await ask(items, "DELETE");
    assertProblem(answer, 405);
    assert.equal(answer.headers.get("allow"), "GET, HEAD, OPTIONS, POST");
    assertProblem(
      await ask(`${items}/00000000-0000-4000-8000-000000000000`, "POST", "x", { "content-type": "a/b" }),
      405,
    );
    assertProblem(await ask(`${service.url}/healthz`, "POST", good), 405);
    const options = await ask(`${items}/x`, "OPTIONS");
    assert.deepEqual([options.status, options.headers.get("allow")], [204, "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"]);
  });

  it("answers 413 for a body that is too large", async () => {
    assertProblem(await ask(items, "POST", { ...good, description: "x".repeat(40_000) }), 413);
  });

  it("answers 415 for anything but JSON", async () => {
    for (const type of ["text/plain", "application/xml", "application/x-www-form-urlencoded"]) {
      assertProblem(await ask(items, "POST", "name=bolt", { "content-type": type }), 415);
    }
  });

  it("answers what is no HTTP with a problem too, and goes on", async () => {
    const socket = net.connect(service.port, "127.0.0.1");
    socket.end("NONSENSE\r\n\r\n");
    const [data] = (await once(socket, "data")) as [Buffer];
    assert.match(data.toString(), /^HTTP\/1\.1 400 Bad Request\r\nContent-Type: application\/problem\+json/);
    assert.equal((await ask(`${service.url}/healthz`)).status, 200);
  });

  it("keeps a harmless request id and replaces any other", async () => {
    const kept = await ask(`${service.url}/nothing`, "GET", undefined, { "x-request-id": "abc-1" });
    assert.equal(kept.headers.get("x-request-id"), "abc-1");
    assert.equal(kept.body.instance, "urn:groundwork:request:abc-1");
    const replaced = await ask(`${service.url}/nothing`, "GET", undefined, { "x-request-id": '"},{"' });
    assert.match(replaced.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
  });
});
