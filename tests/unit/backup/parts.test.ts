import * as assert from "node:assert/strict";
import { addedRoles, differences } from "../../../cli/backup/parts/database";
import { checkBackups } from "../../../cli/doctor/backup";
import { checkStandby } from "../../../cli/doctor/standby";
import { promotedFile } from "../../../cli/standby/promote";
import { changesTo, refuseOtherSeal } from "../../../cli/standby/refresh";
import type { AdminCluster } from "../../../cli/vault/cluster";
import { backupSchema, serves, standbySchema } from "../../../components/backup";

const database = { namespace: "app", cluster: "app-db", database: "app", owner: "app" };

describe("roles of a database in a backup", () => {
  const dump = [
    "\\restrict abc",
    "CREATE ROLE app;",
    "ALTER ROLE app WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$app';",
    "CREATE ROLE postgres;",
    'CREATE ROLE "v-kubernet-api-x-1";',
    `ALTER ROLE "v-kubernet-api-x-1" WITH LOGIN PASSWORD 'SCRAM-SHA-256$v' VALID UNTIL '2026-01-01';`,
    `ALTER ROLE "v-kubernet-api-x-1" SET role TO 'app';`,
    "CREATE ROLE vault;",
    "ALTER ROLE vault WITH CREATEROLE LOGIN PASSWORD 'SCRAM-SHA-256$vault';",
    "CREATE ROLE reports;",
    "ALTER ROLE reports WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$reports';",
    'CREATE ROLE "Ad Hoc";',
    "GRANT app TO vault WITH ADMIN OPTION, INHERIT TRUE GRANTED BY postgres;",
    'GRANT app TO "v-kubernet-api-x-1" WITH INHERIT TRUE GRANTED BY vault;',
    "GRANT pg_monitor TO cnpg_metrics_exporter WITH INHERIT TRUE GRANTED BY postgres;",
    "GRANT app TO reports WITH INHERIT TRUE GRANTED BY postgres;",
  ].join("\n");

  it("are those that people added, with what they were given", () => {
    assert.deepEqual(addedRoles(dump, database).trim().split("\n"), [
      "CREATE ROLE reports;",
      "ALTER ROLE reports WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$reports';",
      'CREATE ROLE "Ad Hoc";',
      "GRANT app TO reports WITH INHERIT TRUE GRANTED BY postgres;",
    ]);
  });

  it("are none where nobody added any", () => {
    assert.equal(addedRoles("CREATE ROLE app;\nCREATE ROLE vault;\n", database), "");
  });
});

describe("tables that were put back", () => {
  const items = { table: "public.items", rows: 3, sum: "7" };
  it("are held against what was dumped", () => {
    assert.deepEqual(differences([items], [items, { table: "public.more", rows: 1, sum: "1" }]), []);
    assert.deepEqual(differences([items], []), ["public.items is missing"]);
    assert.deepEqual(differences([items], [{ ...items, rows: 2 }]), ["public.items has 2 rows, and had 3"]);
    assert.deepEqual(differences([items], [{ ...items, sum: "8" }]), ["public.items has other content in its 3 rows"]);
  });
});

describe("doctor on backups", () => {
  const settings = (protect: boolean, backup: object = {}) => ({ protect, backup: backupSchema.parse(backup) });
  const aged = (hours: number) => ({ id: "x", taken: new Date(), ageSeconds: hours * 3600, place: "/b" });
  const levels = (protect: boolean, hours?: number, backup?: object) =>
    checkBackups("none-such", settings(protect, backup), hours === undefined ? undefined : aged(hours)).map(
      ({ level }) => level,
    );

  it("says nothing of stacks that may lose their data, unless somebody backs them up", () => {
    assert.deepEqual(levels(false), []);
    assert.deepEqual(levels(false, 30), ["warn"]);
    assert.deepEqual(levels(false, undefined, { store: "/mnt/backups" }), ["warn"]);
  });

  it("warns of a protected stack without a backup, or with one that is too old", () => {
    assert.deepEqual(levels(true), ["warn"]);
    assert.deepEqual(levels(true, 30), ["warn"]);
    assert.deepEqual(levels(true, 25), ["ok"]);
    assert.deepEqual(levels(true, 30, { maxAge: "2d" }), ["ok"]);
  });
});

describe("doctor on standbys", () => {
  const taken = "2026-01-01T00:00:00.000Z";
  const last = { of: "prod", id: "20260101T000000Z", taken };
  const check = (standby: object, synced: Parameters<typeof checkStandby>[2], hours = 0) => {
    const settings = { backup: backupSchema.parse({ maxAge: "3h" }), standby: standbySchema.parse(standby) };
    return checkStandby("none-such", settings, synced, Date.parse(taken) + hours * 3_600_000);
  };
  const levels = (...given: Parameters<typeof check>) => check(...given).map(({ level }) => level);

  it("warns of data that is old, of two moments, or not there", () => {
    assert.deepEqual(levels({ of: "prod" }, last, 2), ["ok"]);
    assert.deepEqual(levels({ of: "prod" }, last, 4), ["warn"]);
    assert.deepEqual(levels({ of: "prod" }, { ...last, unfinished: "20260101T010000Z" }, 1), ["warn"]);
    assert.deepEqual(levels({ of: "prod" }, undefined), ["warn"]);
  });

  it("says nothing of one that was promoted, and asks for no backup of one that was not", () => {
    assert.deepEqual(levels({ of: "prod", promoted: true }, last, 4), []);
    const settings = { protect: true, backup: backupSchema.parse({}), standby: standbySchema.parse({ of: "prod" }) };
    assert.deepEqual(checkBackups("none-such", settings, undefined), []);
  });
});

describe("a standby", () => {
  it("serves once it is promoted, and every other stack always", () => {
    assert.equal(serves(undefined), true);
    assert.equal(serves(standbySchema.parse({ of: "prod" })), false);
    assert.equal(serves(standbySchema.parse({ of: "prod", promoted: true })), true);
  });

  it("is promoted in its file, which else stays as it was", () => {
    const text = "# mine\nconfig:\n  groundwork:domain: x.org # why\n  groundwork:standby:\n    of: prod\n";
    const promoted = promotedFile(text);
    assert.equal(promoted, `${text}    promoted: true\n`);
    assert.equal(promotedFile(promoted), promoted);
  });

  it("does not keep recovery keys that were handed over at the other stack", () => {
    const own = { keys: '["old"]', rootCaKey: "old" };
    assert.deepEqual(changesTo(own, { handedOver: "now" }), { keys: null, rootCaKey: null, handedOver: "now" });
    assert.deepEqual(changesTo(own, { keys: '["new"]', rootCaKey: "old" }), { keys: '["new"]', rootCaKey: "old" });
  });

  it("refuses a snapshot that its bootstrap Vault could not open", async () => {
    // A double of the standby's cluster, which has one Secret.
    const cluster = { readSecret: () => Promise.resolve({ unsealKey: "first" }) } as unknown as AdminCluster;
    const metadata = { namespace: "vault-bootstrap", name: "vault-bootstrap-keys" };
    const kept = (unsealKey: string) => {
      const data = { unsealKey: Buffer.from(unsealKey).toString("base64") };
      return [{ apiVersion: "v1" as const, kind: "Secret" as const, metadata, data }];
    };
    await refuseOtherSeal(cluster, kept("first"));
    await refuseOtherSeal(cluster, []);
    await assert.rejects(refuseOtherSeal(cluster, kept("another")), /destroy this standby and sync it anew/);
  });
});
