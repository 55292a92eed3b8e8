import * as assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { CommandFailed } from "../../../artifacts/errors";
import { run } from "../../../artifacts/run";

const root = path.resolve(__dirname, "..", "..", "..");

describe("running a build's command", function () {
  this.timeout(60_000);
  let folder: string;
  let log: string;
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-run-"));
    log = path.join(folder, "log");
  });
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

  it("logs what it prints, or returns it", async () => {
    await run("sh", ["-c", "echo out; echo err >&2"], { what: "tool", log });
    assert.match(fs.readFileSync(log, "utf8"), /\$ sh -c .*\nout\nerr\n/);
    assert.equal(await run("sh", ["-c", "echo out"], { what: "tool", log, capture: true }), "out\n");
  });

  it("fails with the name, the last lines and the log's path", async () => {
    const script = "for i in $(seq 1 40); do echo line $i; done; exit 3";
    await assert.rejects(run("sh", ["-c", script], { what: "tool", log }), (error: Error) => {
      assert.ok(error instanceof CommandFailed);
      assert.match(error.message, /^tool: sh failed with exit code 3\. It ended with:\n {2}line 26\n/);
      assert.ok(error.message.endsWith(`  line 40\nLog: ${log}`), error.message);
      return true;
    });
  });

  it("says so when the command is not there", async () => {
    await assert.rejects(
      run("no-such-command", [], { what: "tool", log }),
      /tool: no-such-command could not be started/,
    );
  });

  it("ends with all that the command started when it is interrupted", async () => {
    const script = `
      const { run } = require("./artifacts/run");
      run("sh", ["-c", "sh -c 'echo $$ > ${folder}/pid; sleep 60' & wait"], { what: "tool", log: "${log}" })
        .catch((error) => console.log(error.message));`;
    const child = spawn(process.execPath, ["-r", "./cli/typescript.cjs", "-e", script], {
      cwd: root,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const pidFile = path.join(folder, "pid");
    while (!fs.existsSync(pidFile) || fs.readFileSync(pidFile, "utf8") === "") {
      assert.equal(child.exitCode, null, output);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const grandchild = fs.readFileSync(pidFile, "utf8").trim();
    child.kill("SIGINT");
    const [code] = (await once(child, "close")) as [number | null];
    assert.equal(code, 0, "it was killed instead of ending by itself");
    assert.match(output, /interrupted; what was finished is kept/);
    const state = (): string => {
      try {
        const stat = fs.readFileSync(`/proc/${grandchild}/stat`, "utf8");
        return stat.slice(stat.lastIndexOf(")") + 2)[0] ?? "";
      } catch {
        return "gone";
      }
    };
    for (let tries = 0; !["gone", "Z"].includes(state()) && tries < 100; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.match(state(), /gone|Z/);
  });
});
