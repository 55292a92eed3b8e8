import * as assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { type Running, ask, running } from "./helpers/service";

/** What is looked at in the OpenAPI document. */
interface Document extends Record<string, unknown> {
  paths: Record<string, Record<string, { responses: object; operationId: string }>>;
  components: { schemas: Record<string, object> };
}

describe("operations", function () {
  this.timeout(60_000);
  let service: Running;

  before(async () => {
    service = await running();
  });
  after(() => service.end());

  it("is alive and ready", async () => {
    const alive = await ask(`${service.url}/healthz`);
    assert.deepEqual([alive.status, alive.body], [200, { status: "ok", version: "0.0.0-source" }]);
    const ready = await ask(`${service.url}/readyz`);
    assert.deepEqual([ready.status, ready.body], [200, { ready: true, phase: "ready", database: "reachable" }]);
  });

  it("measures requests by method, pattern and status, and connections", async () => {
    await ask(`${service.url}/items/${randomUUID()}`);
    await ask(`${service.url}/items/${randomUUID()}`);
    await ask(`${service.url}/no/such/path/${randomUUID()}`);
    const { headers, text } = await ask(`${service.url}/metrics`);
    assert.match(headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
    assert.match(text, /http_request_duration_seconds_count\{method="GET",route="\/items\/:id",status="404"\} 2\n/);
    assert.match(text, /http_request_duration_seconds_count\{method="GET",route="unmatched",status="404"\} 1\n/);
    assert.match(text, /groundwork_api_database_connections\{state="idle"\} [1-9]/);
    assert.match(text, /process_resident_memory_bytes \d+/);
    assert.match(text, /nodejs_eventloop_lag_seconds /);
  });

  it("publishes an OpenAPI 3.1 document that is valid and names every route", async () => {
    const { status, text } = await ask(`${service.url}/openapi.json`);
    assert.equal(status, 200);
    const body = JSON.parse(text) as Document;
    const { Validator } = await import("@seriousme/openapi-schema-validator");
    const result = await new Validator().validate(body);
    assert.deepEqual(result.valid || result.errors, true);
    assert.deepEqual(Object.keys(body.paths).sort(), ["/healthz", "/items", "/items/{id}", "/metrics", "/readyz"]);
    assert.deepEqual(Object.keys(body.paths["/items/{id}"] ?? {}).sort(), ["delete", "get", "patch", "put"]);
    assert.deepEqual(Object.keys(body.components.schemas).sort(), ["Item", "Problem"]);
    for (const [path, methods] of Object.entries(body.paths)) {
      for (const [method, { responses, operationId }] of Object.entries(methods)) {
        assert.ok(operationId, `${method} ${path}`);
        assert.ok(
          Object.keys(responses).some((code) => code.startsWith("2")),
          `${method} ${path}`,
        );
      }
    }
    // A local reference that leads nowhere passes most validators.
    for (const [, name] of JSON.stringify(body).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      assert.ok(body.components.schemas[name!], name);
    }
  });

  it("logs a line for each request, with its id, and nothing that the client sent", async () => {
    const canary = `canary-${randomUUID()}`;
    const id = randomUUID();
    const headers = { "x-request-id": id, authorization: `Bearer ${canary}`, cookie: `session=${canary}` };
    await ask(`${service.url}/items?cursor=${canary}`, "GET", undefined, headers);
    await ask(`${service.url}/items`, "POST", { name: canary, quantity: 1, description: canary }, headers);
    const lines = service.logs.map((line) => JSON.parse(line) as Record<string, unknown>);
    const mine = lines.filter((line) => line["requestId"] === id && line["msg"] === "request");
    assert.deepEqual(
      mine.map(({ method, route, status }) => [method, route, status]),
      [
        ["GET", "/items", 400],
        ["POST", "/items", 201],
      ],
    );
    assert.ok(!service.logs.join("").includes(canary));
    assert.ok(!service.logs.join("").includes(service.secret.password));
  });
});
