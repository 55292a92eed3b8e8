import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { parse } from "yaml";
import { counts, DataGate, gateText, passGate, pendingUpgrades, readGate } from "../../../cli/upgrade-gate";
import { root } from "../../../cli/paths";
import { NodeState } from "../../../cli/upgrade-plan";
import { backupSchema, finish } from "../../../components/backup";
import { FolderStore } from "../../../components/backup/folder-store";
import { clusterSchema } from "../../../components/cluster/settings";
import { checkStackFile } from "../../../stacks/settings";

const to = "v1.36.4+k3s1";
const taken = {
  summary: {
    format: 1,
    stack: "mine",
    id: "20261121T080000Z",
    taken: "2026-11-21T08:00:00.000Z",
    seconds: 1,
    parts: {},
  },
  place: "/there",
  pruned: [],
};

describe("the gate for the data before an upgrade", () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-gate-"));
  const kept = process.env["GROUNDWORK_STATE_DIR"];
  before(() => (process.env["GROUNDWORK_STATE_DIR"] = path.join(folder, "state")));
  after(() => {
    if (kept === undefined) delete process.env["GROUNDWORK_STATE_DIR"];
    else process.env["GROUNDWORK_STATE_DIR"] = kept;
    fs.rmSync(folder, { recursive: true, force: true });
  });

  const settings = (backup: "required" | "wanted" | "none", store?: string) => ({
    cluster: clusterSchema.parse({ upgrade: { backup } }),
    backup: backupSchema.parse(store === undefined ? {} : { store }),
  });
  const read = (backup: "required" | "wanted" | "none", store?: string, begun = false) =>
    readGate("mine", settings(backup, store), begun);

  it("is a backup where there is a store, and says how old the last one is", async () => {
    const store = path.join(folder, "store");
    for (const wish of ["required", "wanted"] as const) {
      const gate = await read(wish, store);
      assert.deepEqual(gate, { kind: "take", place: store });
      assert.equal(gateText(gate), `data: a backup of the data is taken first, into ${store}; there is none yet`);
    }
    const moment = new Date(Date.now() - 7_200_000).toISOString();
    await finish(new FolderStore(store), { ...taken.summary, taken: moment });
    assert.match(gateText(await read("wanted", store)), /; the last one is 20261121T080000Z, 120 min old$/);
  });

  it("without a store is shut where one is required, and else says so plainly", async () => {
    const shut = await read("required");
    assert.equal(shut.kind, "refuse");
    assert.match(gateText(shut), /is required, and there is no store for it: set groundwork:backup\.store/);
    assert.match(gateText(await read("wanted")), /^data: NO backup of the data is taken: no store is set/);
    assert.match(gateText(await read("none")), /NO backup .* cluster\.upgrade\.backup is none/);
  });

  it("is shut where the store can't be read", async () => {
    const backup = backupSchema.parse({ store: "s3://backups", endpoint: "http://127.0.0.1:1" });
    const gate = await readGate("mine", { ...settings("wanted"), backup }, false);
    assert.equal(gate.kind, "refuse");
    assert.match(gate.problem!, /can't be read, so no backup can be taken first/);
  });

  it("was passed once the upgrade was begun: what broke meanwhile must not hold the rest up", async () => {
    assert.equal((await read("required", undefined, true)).kind, "begun");
  });

  it("takes one and notes it for the gates on the machines", async () => {
    const notes: string[] = [];
    const note = (_: string, value: string) => Promise.resolve(void notes.push(value));
    const gate: DataGate = { kind: "take", place: "/there" };
    await passGate("mine", gate, [to, "packages-2026-11-21"], { note, take: () => Promise.resolve(taken) });
    assert.deepEqual(notes, [`20261121T080000Z 1795248000 ${to} packages-2026-11-21`]);
    const now = Date.parse("2026-11-21T09:00:00Z");
    assert.ok(counts(notes[0], to, now) && counts(notes[0], "packages-2026-11-21", now));
    assert.ok(!counts(notes[0], "v1.36.5+k3s1", now), "taken before another upgrade");
    assert.ok(!counts(notes[0], to, now + 86_400_000), "too long ago");
    assert.ok(!counts(undefined, to, now));
  });

  it("says in one message that a backup failed, and notes nothing", async () => {
    const note = () => assert.fail("noted");
    const take = () => Promise.reject(new Error("/there is full"));
    await assert.rejects(passGate("mine", { kind: "take" }, [to], { note, take }), (error: Error) => {
      assert.equal(error.constructor.name, "UserError");
      assert.match(
        error.message,
        /^nothing is upgraded: no backup of mine could be taken \(\/there is full\)\. Mend that/,
      );
      return true;
    });
    const never = { note, take: () => assert.fail("taken") };
    await assert.rejects(passGate("mine", { kind: "refuse", problem: "no store" }, [to], never), /no store/);
    for (const kind of ["off", "unset", "begun"] as const) await passGate("mine", { kind }, [to], never);
  });
});

describe("what an up would upgrade", () => {
  const node = (release: string, patchedOn?: string): NodeState => ({
    ...{ name: "n", server: true, release, ready: true, cordoned: false },
    ...(patchedOn === undefined ? {} : { patchedOn }),
  });
  const settings = clusterSchema.parse({ version: to, upgrade: { osPatches: "2026-11-21" } });

  it("is told by nodes that are not there yet", () => {
    assert.deepEqual(pendingUpgrades([node("v1.36.3+k3s1"), node("v1.36.3+k3s1", "2026-10-01")], settings), [
      to,
      "packages-2026-11-21",
    ]);
    assert.deepEqual(pendingUpgrades([], settings), []);
  });

  it("is nothing where it was begun: a machine made anew has no packages of the day either", () => {
    assert.deepEqual(pendingUpgrades([node("v1.36.3+k3s1"), node(to, "2026-11-21")], settings), []);
  });
});

describe("stacks that are for keeps", () => {
  for (const stack of ["prod", "vps"]) {
    it(`${stack} is not upgraded without a backup`, () => {
      const file = path.join(root, `Pulumi.${stack}.yaml`);
      const given = (parse(fs.readFileSync(file, "utf8")) as { config: Record<string, unknown> }).config;
      assert.equal(given["groundwork:protect"], true);
      assert.equal(checkStackFile(file).settings!.cluster.upgrade.backup, "required");
    });
  }
});
