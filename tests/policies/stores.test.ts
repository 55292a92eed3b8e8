import * as assert from "node:assert/strict";
import { rules } from "../../policies/rules";
import { runPack, TestResource, unknownString } from "./engine-like";

const only = rules.filter(({ id }) => id === "data-store-backups");
const object = (apiVersion: string, kind: string, name: string, props: Record<string, unknown>): TestResource => {
  const { annotations, ...rest } = props;
  const metadata = { name, namespace: "app", ...(annotations !== undefined && { annotations }) };
  return { type: `kubernetes:${apiVersion}:${kind}`, name, props: { apiVersion, kind, metadata, ...rest } };
};
const cnpg = "postgresql.cnpg.io/v1";
const database = (spec: Record<string, unknown> = {}) => object(cnpg, "Cluster", "db", { spec });
const schedule = object(cnpg, "ScheduledBackup", "db-daily", { spec: { cluster: { name: "db" } } });
const set = (annotations?: unknown, spec: object = { volumeClaimTemplates: [{ metadata: { name: "data" } }] }) =>
  object("apps/v1", "StatefulSet", "vault", { annotations, spec });
const job = (annotations: unknown, volumes: object[] = []) =>
  object("batch/v1", "CronJob", "snapshots", {
    annotations,
    spec: { jobTemplate: { spec: { template: { spec: { containers: [{ name: "a" }], volumes } } } } },
  });
const backsUp = { "groundwork/backup-of": "StatefulSet/vault", "groundwork/backup-retention": "7 copies" };

async function found(...resources: TestResource[]): Promise<string[]> {
  return (await runPack(resources, { rules: only })).map(({ message }) => message.split(". ")[0]!);
}

describe("the backups of a data store", () => {
  it("are a schedule and a retention for a PostgreSQL cluster", async () => {
    assert.deepEqual(await found(database()), ["Cluster app/db has no ScheduledBackup"]);
    assert.deepEqual(await found(database(), schedule), ["Cluster app/db has backups without a retentionPolicy"]);
    assert.deepEqual(await found(database({ backup: { retentionPolicy: "30d" } }), schedule), []);
    const other = object(cnpg, "ScheduledBackup", "x", { spec: { cluster: { name: "other" } } });
    assert.deepEqual((await found(database(), other)).length, 1);
  });

  it("may be the backup plugin's, with its retention in the object store that it names", async () => {
    const plugin = { plugins: [{ name: "barman-cloud", parameters: { barmanObjectName: "store" } }] };
    const store = (spec: object) => object("barmancloud.cnpg.io/v1", "ObjectStore", "store", { spec });
    assert.deepEqual(await found(database(plugin), schedule, store({ retentionPolicy: "30d" })), []);
    assert.deepEqual((await found(database(plugin), schedule, store({}))).length, 1);
  });

  it("are a job that says what it backs up and how long that is kept, for a set of pods with volumes", async () => {
    assert.deepEqual(await found(set()), ["StatefulSet app/vault has no backup"]);
    assert.deepEqual(await found(set(), job(backsUp)), []);
    assert.deepEqual(await found(set(), job({ ...backsUp, "groundwork/backup-of": "StatefulSet/other" })), [
      "StatefulSet app/vault has no backup",
    ]);
    for (const retention of [undefined, "for ever", ""]) {
      const forever = job({ ...backsUp, "groundwork/backup-retention": retention });
      assert.deepEqual(await found(set(), forever), ["StatefulSet app/vault has backups without a retention"]);
    }
  });

  it("may be the store's own", async () => {
    assert.deepEqual(await found(set({ "groundwork/backup-of": "self", "groundwork/backup-retention": "48h" })), []);
  });

  it("are not asked of what holds no data, and of the claim that backups are written to", async () => {
    assert.deepEqual(await found(set(undefined, {})), []);
    const claim = object("v1", "PersistentVolumeClaim", "copies", {});
    const mount = [{ name: "copies", persistentVolumeClaim: { claimName: "copies" } }];
    assert.deepEqual(await found(claim, job(backsUp, mount)), []);
    assert.deepEqual(await found(claim, job(backsUp)), ["PersistentVolumeClaim app/copies has no backup"]);
  });

  it("are not missed where a preview can not know", async () => {
    assert.deepEqual(await found(set(unknownString)), []);
    assert.deepEqual(await found(set(), job(unknownString)), []);
    const unknownSpec = object(cnpg, "Cluster", "db", { spec: unknownString });
    assert.deepEqual(await found(unknownSpec), []);
  });
});
