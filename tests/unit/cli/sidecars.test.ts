import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { dropBrokenSidecars } from "../../../cli/locks";

describe("sidecar files of a file backend", () => {
  it("are removed when a killed engine left them half-written, and nothing else is", () => {
    const home = fs.mkdtempSync(path.join(os.tmpdir(), "backend-"));
    const stacks = path.join(home, ".pulumi", "stacks", "groundwork");
    fs.mkdirSync(stacks, { recursive: true });
    const files = { "a.json": "", "a.json.attrs": "", "b.json.attrs": '{"user.cac', "c.json.attrs": "{}" };
    for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(stacks, name), text);
    dropBrokenSidecars(`file://${home}`);
    assert.deepEqual(fs.readdirSync(stacks).sort(), ["a.json", "c.json.attrs"]);
    dropBrokenSidecars(`file://${home}/absent`);
    dropBrokenSidecars("s3://bucket");
    fs.rmSync(home, { recursive: true });
  });
});
