import assert from "node:assert/strict";
import * as random from "@pulumi/random";
import { type Case, bare, contract, output } from "./contract";

const made = ["password", "string", "bytes", "id", "integer", "pet", "uuid", "shuffle"];

const all: Case = {
  scenario: () => {
    const make = (keepers?: Record<string, string>) => () => {
      new random.RandomPassword("password", { length: 24, special: false, minNumeric: 3, keepers });
      new random.RandomString("string", { length: 12, upper: false, overrideSpecial: "_-", keepers });
      new random.RandomBytes("bytes", { length: 32, keepers });
      new random.RandomId("id", { byteLength: 8, prefix: "p-", keepers });
      new random.RandomInteger("integer", { min: 10, max: 20, keepers });
      new random.RandomPet("pet", { prefix: "a", length: 3, keepers });
      new random.RandomUuid("uuid", { keepers });
      new random.RandomShuffle("shuffle", { inputs: ["a", "b", "c"], resultCount: 2, keepers });
    };
    return {
      name: "every kind: preview, create, no-op, refresh, keepers that replace, destroy",
      volatile: [
        ...made.filter((n) => !["password", "shuffle"].includes(n)).map((n) => `${n}.id`),
        ...made.flatMap((n) =>
          ["result", "results", "bcryptHash", "base64", "hex", "dec", "b64Std", "b64Url", "id"].map((p) => `${n}.${p}`),
        ),
      ].filter((v) => !["password.id", "shuffle.id"].includes(v)),
      steps: [
        { verb: "preview", program: make() },
        { verb: "up", program: make() },
        { verb: "up", program: make() },
        { verb: "refresh", program: make() },
        { verb: "up", program: make({ round: "two" }) },
        { verb: "up", program: make({ round: "two" }) },
        { verb: "destroy", program: make() },
      ],
    };
  },
  expect: (s) => {
    const each = (o: (typeof s)[number], op: string): void => {
      for (const name of made) assert.equal(o.ops[name], op, name);
    };
    ["create", "create", "same", "refresh", "replace", "same", "delete"].forEach((op, i) => each(s[i]!, op));
    assert.deepEqual(s[4]!.diffs["password"], ["keepers"]);
    assert.deepEqual(output(s[1]!, "password", "result"), { secret: "<text>" });
    assert.deepEqual(output(s[1]!, "bytes", "base64"), { secret: "<text>" });
    const value = (i: number, name: string, property: string): unknown =>
      s[i]!.raw.find((r) => r.urn.endsWith(`::${name}`))?.outputs?.[property];
    assert.match(String(value(1, "string", "result")), /^[a-z0-9_-]{12}$/);
    assert.match(String(value(1, "id", "hex")), /^p-[0-9a-f]{16}$/);
    assert.match(String(value(1, "uuid", "result")), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.ok(Number(value(1, "integer", "result")) >= 10 && Number(value(1, "integer", "result")) <= 20);
    assert.equal((value(1, "shuffle", "results") as string[]).length, 2);
    assert.notEqual(value(1, "uuid", "result"), value(4, "uuid", "result"));
    const id = s[1]!.raw.find((r) => r.urn.endsWith("::pet"))?.id ?? "";
    assert.match(id, /^a-[a-z]+-[a-z]+-[a-z]+$/);
  },
};

const bad: Case = {
  scenario: () => ({
    name: "inputs that can't be met",
    steps: [
      { verb: "up", program: () => void new random.RandomPassword("p", { length: 4, minNumeric: 3, minUpper: 3 }) },
      { verb: "up", program: () => void new random.RandomInteger("i", { min: 5, max: 1 }) },
      {
        verb: "up",
        program: () =>
          void new random.RandomString("s", { length: 4, special: false, upper: false, lower: false, numeric: false }),
      },
      { verb: "up", program: () => void new random.RandomId("b", { byteLength: 0 }) },
    ],
  }),
  expect: (s) => s.forEach((o, i) => assert.ok(o.errors.length > 0, `step ${i} passed`)),
};

const imports: Case = {
  scenario: () => ({
    name: "import",
    volatile: ["password.bcryptHash"],
    steps: [
      {
        verb: "up",
        program: () => {
          new random.RandomPassword("password", { length: 8 }, { import: "Passw0rd", ignoreChanges: ["bcryptHash"] });
          new random.RandomUuid("uuid", {}, { import: "aabbccdd-eeff-4011-8223-344556677889" });
          new random.RandomInteger("integer", { min: 1, max: 100 }, { import: "42,1,100" });
        },
      },
    ],
  }),
  expect: ([s]) => {
    assert.deepEqual(s!.errors, []);
    assert.equal(bare(output(s!, "password", "result")), "Passw0rd");
    assert.equal(output(s!, "integer", "result"), 42);
  },
};

contract("random", [all, bad, imports]);
