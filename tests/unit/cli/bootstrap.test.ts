import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

const root = path.resolve(__dirname, "..", "..", "..");

/** A copy of bootstrap.cjs in a checkout of its own: there it may install and stamp what it likes. */
function checkout(): { folder: string; run(env?: NodeJS.ProcessEnv): { code: number | null; said: string } } {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-bootstrap-"));
  fs.mkdirSync(path.join(folder, "cli"));
  for (const file of ["bootstrap.cjs", "typescript.cjs"]) {
    fs.copyFileSync(path.join(root, "cli", file), path.join(folder, "cli", file));
  }
  fs.writeFileSync(path.join(folder, "package.json"), JSON.stringify({ name: "x", version: "1.0.0", private: true }));
  const lock = { name: "x", version: "1.0.0", lockfileVersion: 3, packages: { "": { name: "x", version: "1.0.0" } } };
  fs.writeFileSync(path.join(folder, "package-lock.json"), JSON.stringify(lock));
  fs.writeFileSync(path.join(folder, "cli", "main.js"), "exports.main = async (argv) => (console.error(argv), 7);");
  return {
    folder,
    run(env = {}) {
      const done = spawnSync(process.execPath, [path.join(folder, "cli", "bootstrap.cjs"), "verb", "--flag"], {
        encoding: "utf8",
        env: { ...process.env, GROUNDWORK_STATE_DIR: path.join(folder, "state"), ...env },
      });
      return { code: done.status, said: done.stderr };
    },
  };
}

describe("the entry of every command", function () {
  this.timeout(60_000);
  let here: ReturnType<typeof checkout>;
  beforeEach(() => (here = checkout()));
  afterEach(() => fs.rmSync(here.folder, { recursive: true, force: true }));

  it("installs npm modules the first time and after the lock file changed, and passes arguments and exit code on", () => {
    const first = here.run();
    assert.match(first.said, /Installing npm modules[^]*\[ 'verb', '--flag' \]/);
    assert.equal(first.code, 7);
    assert.doesNotMatch(here.run().said, /Installing/);
    const lock = path.join(here.folder, "package-lock.json");
    fs.appendFileSync(lock, "\n");
    const later = new Date(Date.now() + 5_000);
    fs.utimesSync(lock, later, later);
    assert.match(here.run().said, /Installing npm modules/);
  });

  it("says what npm said when it cannot install, and where the log is", () => {
    fs.writeFileSync(path.join(here.folder, "package-lock.json"), "{ broken");
    const { code, said } = here.run();
    assert.equal(code, 1);
    assert.match(said, /npm ci failed\. It ended with:\n[^]*Log: .*npm-ci\.log/);
  });

  it("names the system packages that are missing where it cannot install them", () => {
    const { code, said } = here.run({ PATH: path.join(here.folder, "empty") });
    assert.equal(code, 1);
    assert.match(
      said,
      /packages are missing, and there is no apt-get to install them: .*mmdebstrap.*systemd-container/,
    );
  });
});
