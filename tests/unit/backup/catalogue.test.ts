import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import {
  finish,
  idOf,
  keyOf,
  listBackups,
  listStacks,
  openStore,
  prune,
  readSummary,
  type Summary,
  surplus,
} from "../../../components/backup";
import { chooseBackup } from "../../../cli/backup";
import { findBackup } from "../../../cli/restore";

const folder = (): string => fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-backups-"));
const day = (offset: number): string => idOf(new Date(Date.UTC(2026, 5, 30 - offset, 3, 0, 0)));
const summary = (stack: string, id: string): Summary => ({ format: 1, stack, id, taken: id, seconds: 1, parts: {} });

describe("the store of backups", () => {
  const made: string[] = [];
  const open = () => {
    made.push(folder());
    return openStore(made.at(-1)!);
  };
  after(() => made.forEach((one) => fs.rmSync(one, { recursive: true, force: true })));

  it("has an object whole or not at all, for its owner only", async () => {
    const store = open();
    await store.put("a/b/c.age", Readable.from([Buffer.from("first")]));
    const broken = Readable.from(
      (function* () {
        yield Buffer.from("half");
        throw new Error("the dump failed");
      })(),
    );
    await assert.rejects(store.put("a/b/c.age", broken), /the dump failed/);
    assert.equal(await text(await store.get("a/b/c.age")), "first");
    assert.deepEqual(await store.list("a/"), [{ key: "a/b/c.age", bytes: 5 }]);
    assert.equal(fs.statSync(path.join(store.place, "a/b/c.age")).mode & 0o777, 0o600);
    assert.deepEqual(fs.readdirSync(path.join(store.place, "a/b")), ["c.age"]);
  });

  it("keeps to its folder, and says what it has not", async () => {
    const store = open();
    await assert.rejects(store.put("../out", Readable.from([])), /no key of a backup/);
    await assert.rejects(store.get("nothing"), /has no nothing/);
    assert.throws(() => openStore("ftp://host/folder"), /no store: give a folder, or s3:/);
  });

  it("lists a half as one, and takes no half for a backup", async () => {
    const store = open();
    await store.put(keyOf("prod", day(2), "vault.age"), Readable.from([Buffer.from("x")]));
    await assert.rejects(chooseBackup(store, "prod"), /no whole backup of prod/);
    await assert.rejects(chooseBackup(store, "prod", day(2)), /is not whole/);
    await finish(store, summary("prod", day(3)));
    assert.deepEqual(
      (await listBackups(store, "prod")).map(({ id, summary: whole }) => [id, whole !== undefined]),
      [
        [day(3), true],
        [day(2), false],
      ],
    );
    assert.equal((await chooseBackup(store, "prod")).id, day(3));
    assert.deepEqual(await listStacks(store), ["prod"]);
    await assert.rejects(findBackup(store, "other", undefined), /has no backup of other, only of prod/);
  });

  it("refuses a layout that is newer by its number, and one that is damaged", () => {
    assert.throws(
      () => readSummary(JSON.stringify({ ...summary("a", day(1)), format: 2 }), "a/b"),
      /newer version.*layout 2/,
    );
    assert.throws(() => readSummary("{", "a/b"), /a\/b is damaged/);
    assert.throws(() => readSummary(`{"format":1}`, "a/b"), /a\/b is damaged/);
  });

  it("keeps the newest of each day, week and month, and all of the present day", () => {
    const daily = Array.from({ length: 400 }, (_, offset) => day(offset));
    const gone = surplus(daily, { daily: 7, weekly: 4, monthly: 12 });
    const kept = daily.filter((id) => !gone.includes(id));
    assert.deepEqual(kept.slice(0, 7), daily.slice(0, 7));
    // The newest of the months before: their last days.
    for (const month of ["20260531", "20260430", "20250731"])
      assert.ok(
        kept.some((id) => id.startsWith(month)),
        month,
      );
    assert.ok(!kept.some((id) => id < "20250701"), kept.join());
    assert.ok(kept.length >= 18 && kept.length <= 7 + 4 + 12, `${kept.length} kept`);
    const sameDay = ["20260630T010000Z", "20260630T020000Z", "20260629T010000Z", "20260629T020000Z"];
    assert.deepEqual(surplus(sameDay, { daily: 2, weekly: 0, monthly: 0 }), ["20260629T010000Z"]);
    assert.deepEqual(surplus([], { daily: 1, weekly: 1, monthly: 1 }), []);
  });

  it("prunes what is too old and halves of yesterday, never what is being taken", async () => {
    const store = open();
    for (const offset of [0, 1, 2]) await finish(store, summary("prod", day(offset)));
    await store.put(keyOf("prod", "20260629T020000Z", "vault.age"), Readable.from([Buffer.from("half")]));
    await store.put(keyOf("prod", "20260630T030001Z", "vault.age"), Readable.from([Buffer.from("begun")]));
    const now = new Date(Date.UTC(2026, 5, 30, 4));
    const gone = await prune(store, "prod", { daily: 2, weekly: 0, monthly: 0 }, now);
    assert.deepEqual(gone, [day(2), "20260629T020000Z"]);
    assert.deepEqual(
      (await listBackups(store, "prod")).map(({ id }) => id),
      [day(1), day(0), "20260630T030001Z"],
    );
  });
});
