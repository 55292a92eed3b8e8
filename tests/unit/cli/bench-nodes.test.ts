import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { nodeRatio, nodeTable, nodeTimes } from "../../../cli/bench-nodes";

describe("the time that nodes take", () => {
  let folder: string;
  beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-events-"))));
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  /** Events of one resource that was made from one second to another. */
  const step = (name: string, from: number, to: number, op = "create"): string[] => {
    const metadata = { op, type: "t", urn: `urn:pulumi:lab::groundwork::a:b:C$t::${name}` };
    return [
      JSON.stringify({ timestamp: 1000 + from, resourcePreEvent: { metadata } }),
      JSON.stringify({ timestamp: 1000 + to, resOutputsEvent: { metadata } }),
    ];
  };

  it("is told from the steps that bear a node's name, without what they waited for", () => {
    const log = path.join(folder, "events");
    const lines = [
      ...step("hcloud-network", 0, 9),
      ...step("hcloud-server-1", 10, 15),
      ...step("hcloud-server-1-host-key", 10, 11, "same"),
      ...step("k3s-lab-server-1-images", 15, 20),
      ...step("k3s-lab-server-1-fetch", 12, 18),
      ...step("k3s-lab-server-1-install", 20, 40),
      ...step("hcloud-server-10", 10, 20),
      ...step("lab-server-10-baseline-apply", 20, 25),
      ...step("k3s-lab-server-10-install", 45, 50),
      ...step("k3s-lab-server-10-upgrade", 50, 60),
    ];
    fs.writeFileSync(log, lines.join("\n"));
    const times = nodeTimes(log, "lab");
    assert.deepEqual(times, [
      { node: "lab-server-1", own: 30, ready: 30 },
      { node: "lab-server-10", own: 20, ready: 40 },
    ]);
    assert.equal(nodeRatio(times).toFixed(2), "1.33");
    assert.match(nodeTable(times), /lab-server-10 +20 +40\b[\s\S]*1\.33 times the slowest/);
  });
});
