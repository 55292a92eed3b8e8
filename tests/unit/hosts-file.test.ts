import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

const tool = path.resolve(__dirname, "../../components/edge/local-names/hosts-file.cjs");

describe("the block in the hosts file", () => {
  let file: string;
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [tool, ...args], { env: { ...process.env, HOSTS_FILE: file }, encoding: "utf8" });
  const text = () => fs.readFileSync(file, "utf8");

  beforeEach(() => {
    file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "hosts-file-")), "hosts");
    fs.writeFileSync(file, "127.0.0.1 localhost\n", { mode: 0o644 });
  });
  afterEach(() => fs.rmSync(path.dirname(file), { recursive: true }));

  it("is added after what stands there, and replaced when set again", () => {
    run("set", "dev", "10.0.0.1", "api.local");
    run("set", "dev", "10.0.0.2", "api.local", "git.local");
    assert.equal(
      text(),
      "127.0.0.1 localhost\n# groundwork dev begin\n10.0.0.2 api.local git.local\n# groundwork dev end\n",
    );
  });

  it("leaves the file as it was once it is removed", () => {
    run("set", "dev", "10.0.0.1", "api.local");
    assert.equal(run("remove", "dev").status, 0);
    assert.equal(text(), "127.0.0.1 localhost\n");
    assert.equal(run("remove", "dev").status, 0);
  });

  it("leaves other stacks' blocks alone", () => {
    run("set", "dev", "10.0.0.1", "api.local");
    run("set", "e2e", "10.0.0.9", "api.e2e");
    run("remove", "dev");
    assert.match(text(), /10\.0\.0\.9 api\.e2e/);
    assert.doesNotMatch(text(), /api\.local/);
  });

  it("copes with a file that has no newline at its end", () => {
    fs.writeFileSync(file, "127.0.0.1 localhost");
    run("set", "dev", "10.0.0.1", "api.local");
    assert.match(text(), /^127\.0\.0\.1 localhost\n# groundwork/);
  });

  it("refuses a call without names and touches nothing", () => {
    assert.equal(run("set", "dev", "10.0.0.1").status, 2);
    assert.equal(text(), "127.0.0.1 localhost\n");
  });
});
