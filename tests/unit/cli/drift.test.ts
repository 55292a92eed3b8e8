import * as assert from "node:assert/strict";
import type { EngineEvent } from "../../../cli/cost/events";
import { compare, driftOf } from "../../../cli/drift/compare";
import { noise } from "../../../cli/drift/noise";
import { driftText } from "../../../cli/drift/report";

/** What a refresh found of one resource, as the engine writes it. */
function found(op: string, type: string, name: string, old: object, now?: object): EngineEvent {
  const urn = `urn:pulumi:prod::groundwork::${type}::${name}`;
  const state = (outputs: object) => ({ type, urn, id: "7", inputs: {}, outputs: outputs as Record<string, unknown> });
  return { resOutputsEvent: { metadata: { op, urn, type, old: state(old), new: now ? state(now) : null } } };
}
const SERVER = "hcloud:index/server:Server";
const DEPLOYMENT = "kubernetes:apps/v1:Deployment";

describe("a drift report", () => {
  it("names fields that changed, from what to what, and who could have done it", () => {
    const report = driftOf([
      found("same", SERVER, "server-1", { labels: {} }, { labels: {} }),
      found(
        "update",
        SERVER,
        "server-2",
        { labels: { a: "1" }, serverType: "cpx22" },
        { labels: {}, serverType: "cpx32" },
      ),
      found("delete", "hcloud:index/volume:Volume", "data", { size: 10 }),
    ]);
    assert.equal(report.looked, 3);
    const text = driftText("prod", report);
    assert.match(text, /^drift in prod: 1 of 3 resources changed, 1 gone/);
    assert.match(
      text,
      /server-2 \(hcloud:index\/server:Server, 7\)\n {2}labels\.a: 1 → nothing\n {2}serverType: cpx22 → cpx32\n/,
    );
    assert.match(text, /data \(.*\) is gone\n {2}who: .* token of its project, or the CSI driver/);
    assert.match(text, /npm run up -- --stack prod -- --refresh/);
  });

  it("takes the cluster's word for who wrote", () => {
    const metadata = {
      managedFields: [{ manager: "pulumi-kubernetes-1" }, { manager: "kubectl-edit", time: "2026-11-20T10:00:00Z" }],
    };
    const [drift] = driftOf([
      found("update", DEPLOYMENT, "api", { spec: { replicas: 2 } }, { metadata, spec: { replicas: 0 } }),
    ]).drifts;
    assert.deepEqual(drift?.fields, [{ path: "spec.replicas", old: 2, new: 0 }]);
    assert.match(drift?.who ?? "", /^written since by kubectl-edit at 2026-11-20T10:00:00Z/);
  });

  it("leaves known noise out and says how much and why; what else changed in the same object stays", () => {
    const old = { metadata: { resourceVersion: "1", generation: 1 }, status: { replicas: 1 }, spec: { paused: false } };
    const now = { metadata: { resourceVersion: "2", generation: 2 }, status: { replicas: 2 }, spec: {} };
    const quiet = driftOf([found("update", DEPLOYMENT, "api", old, now)]);
    assert.deepEqual(quiet.drifts, []);
    const text = driftText("prod", quiet);
    assert.match(text, /^no drift: 1 resources of prod are as its state says/);
    assert.match(text, /left out: 2 fields; the API server counts there/);
    const loud = driftOf([found("update", DEPLOYMENT, "api", old, { ...now, spec: { paused: true } })]);
    assert.deepEqual(
      loud.drifts[0]?.fields.map(({ path }) => path),
      ["spec.paused"],
    );
    for (const { reason } of noise) assert.ok(reason.length > 20, reason);
  });

  it("looks neither at components nor at what was never made", () => {
    const component = found("same", "pulumi:pulumi:Stack", "prod", {}, {});
    const planned = found("update", SERVER, "server-1", {}, { a: 1 });
    planned.resOutputsEvent!.metadata.old!.id = "";
    assert.deepEqual(driftOf([component, planned, {}]), { looked: 0, drifts: [], leftOut: {} });
  });

  it("shows long values in short", () => {
    const event = found("update", SERVER, "s", { a: "x".repeat(300), b: "1\n2\n3" }, { a: "y", b: "1\n2" });
    const text = driftText("prod", driftOf([event]));
    assert.match(text, /a: x{100}… \(300 characters\) → y/);
    assert.match(text, /b: a text of 3 lines → a text of 2 lines/);
  });
});

describe("the comparison of two values", () => {
  it("takes empty for missing, and lists of plain values for sets", () => {
    assert.deepEqual(compare({ a: null, b: "", c: [], d: false, e: [2, 1] }, { e: [1, 2] }), []);
    assert.deepEqual(compare({ list: [1, 2] }, { list: [1] }), [{ path: "list", old: [1, 2], new: [1] }]);
  });

  it("goes down into lists of objects", () => {
    assert.deepEqual(
      compare({ rules: [{ port: "22", from: ["a"] }] }, { rules: [{ port: "22", from: ["b"] }, { port: "1" }] }),
      [
        { path: "rules[0].from", old: ["a"], new: ["b"] },
        { path: "rules[1].port", old: undefined, new: "1" },
      ],
    );
  });
});
