import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { Progress } from "../../../cli/restore/progress";

describe("the progress of a restore", () => {
  const before = process.env["GROUNDWORK_STATE_DIR"];
  const state = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-progress-"));
  beforeEach(() => (process.env["GROUNDWORK_STATE_DIR"] = state));
  after(() => {
    if (before === undefined) delete process.env["GROUNDWORK_STATE_DIR"];
    else process.env["GROUNDWORK_STATE_DIR"] = before;
    fs.rmSync(state, { recursive: true, force: true });
  });

  it("outlives the process, step by step, and a step that failed is done again", async () => {
    assert.equal(Progress.of("prod"), undefined);
    const done: string[] = [];
    const progress = Progress.begin("prod", "20260101T000000Z", "/store");
    await progress.once("state", () => Promise.resolve(void done.push("state")));
    await assert.rejects(
      progress.once("cluster", () => Promise.reject(new Error("no machine"))),
      /no machine/,
    );
    const next = Progress.of("prod")!;
    assert.deepEqual([next.id, next.has("state"), next.has("cluster")], ["20260101T000000Z", true, false]);
    await next.once("state", () => Promise.resolve(void done.push("state again")));
    await next.once("cluster", () => Promise.resolve(void done.push("cluster")));
    assert.deepEqual(done, ["state", "cluster"]);
    assert.equal(fs.statSync(next.file).mode & 0o777, 0o600);
    next.end();
    assert.equal(Progress.of("prod"), undefined);
  });

  it("is too old to go on with after a day", () => {
    const progress = Progress.begin("prod", "20260101T000000Z", "/store");
    const hours = (count: number) => new Date(progress.begun.getTime() + count * 3_600_000);
    assert.deepEqual([progress.isOld(hours(23)), progress.isOld(hours(25))], [false, true]);
    progress.end();
  });
});
