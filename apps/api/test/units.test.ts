import * as assert from "node:assert/strict";
import * as fc from "fast-check";
import { readConfig } from "../src/config";
import { judge } from "../src/database/errors";
import { Health } from "../src/health";
import { decodeCursor, encodeCursor } from "../src/items/cursor";
import { ifMatch } from "../src/items/routes";
import { safeError } from "../src/log";
import { Problem, toProblem } from "../src/problem";

const coded = (code: string, message = "x") => Object.assign(new Error(message), { code });

describe("the verdict on a database error", () => {
  it("knows connections that broke or could not be made", () => {
    const both = Object.assign(new AggregateError([coded("ECONNREFUSED"), coded("ECONNREFUSED")]), { code: undefined });
    for (const error of [
      coded("ECONNREFUSED"),
      coded("57P01"),
      both,
      new Error("Connection terminated unexpectedly"),
    ]) {
      const { transient, undone, connectionLost } = judge(error);
      assert.deepEqual([transient, undone, connectionLost], [true, false, true], error.message);
    }
  });

  it("knows what the server has rolled back", () => {
    for (const code of ["25006", "40001", "40P01", "55P03", "28P01"]) assert.ok(judge(coded(code)).undone, code);
  });

  it("leaves mistakes of ours alone", () => {
    for (const code of ["23505", "42601", "22001"]) assert.equal(judge(coded(code)).transient, false, code);
    assert.equal(judge(new TypeError("x is undefined")).transient, false);
  });
});

describe("the environment", () => {
  it("has a default for everything", () => {
    const { port, host, drainDelay, shutdownTimeout, database, cache, operationsPort } = readConfig({});
    assert.deepEqual([cache, operationsPort], [undefined, undefined]);
    assert.deepEqual([port, host, drainDelay, shutdownTimeout], [3000, undefined, 3000, 9500]);
    assert.deepEqual(database, {
      folder: "/etc/groundwork/db",
      loginFile: undefined,
      tls: "verify-full",
      caFile: "/etc/groundwork/db-ca/ca.crt",
      client: undefined,
      poolSize: 10,
      retryBudget: 5000,
    });
  });

  it("is refused with all mistakes at once", () => {
    assert.throws(
      () => readConfig({ PORT: "-1", DB_POOL_SIZE: "many", LOG_LEVEL: "loud" }),
      (error: Error) => error.message.split("\n").length === 3,
    );
  });
});

describe("cursors", () => {
  const place = fc
    .tuple(fc.date({ min: new Date(0), max: new Date("2100-01-01"), noInvalidDate: true }), fc.uuid())
    .map(([createdAt, id]) => ({ createdAt, id }));

  it("lead back to their place", () => {
    fc.assert(fc.property(place, (one) => assert.deepEqual(decodeCursor(encodeCursor(one)), one)));
  });

  it("are refused when they are anything else, never an error of ours", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String(), place.map(encodeCursor)), (text) => {
        try {
          assert.equal(encodeCursor(decodeCursor(text)), text);
        } catch (error) {
          assert.ok(error instanceof Problem && error.status === 400);
        }
      }),
    );
  });
});

describe("If-Match", () => {
  const of = (header?: string) => ifMatch({ headers: { "if-match": header } });

  it("allows any version when it is missing or a star, and else the ones that it names", () => {
    assert.equal(of(), "any");
    assert.equal(of(" * "), "any");
    assert.deepEqual(of('"1", "22"'), [1, 22]);
    assert.deepEqual(of('W/"1"'), []);
    assert.deepEqual(of('"99999999999999999999"'), []);
  });
});

describe("readiness", () => {
  it("needs the schema and the database, and ends with the signal", async () => {
    let works = true;
    const health = new Health(() => (works ? Promise.resolve() : Promise.reject(new Error("gone"))));
    assert.equal((await health.readiness()).ready, false);
    health.phase = "ready";
    assert.equal((await health.readiness()).ready, true);
    works = false;
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.deepEqual(await health.readiness(), { ready: false, phase: "ready", database: "unreachable" });
    health.phase = "stopping";
    assert.equal((await health.readiness()).ready, false);
  });

  it("does not wait for a database that hangs", async () => {
    const health = new Health(() => new Promise(() => undefined));
    health.phase = "ready";
    const started = Date.now();
    assert.equal((await health.readiness()).ready, false);
    assert.ok(Date.now() - started < 1000 + 2000);
  });
});

describe("errors", () => {
  it("are logged without what users wrote", () => {
    const error = Object.assign(coded("23505", "duplicate key"), { detail: "Key (name)=(canary)", where: "canary" });
    assert.doesNotMatch(JSON.stringify(safeError(new Error("outer", { cause: error }))), /canary/);
  });

  it("of ours tell clients nothing", () => {
    const { status, message } = toProblem(new Error("canary"));
    assert.equal(status, 500);
    assert.doesNotMatch(message, /canary/);
  });
});
