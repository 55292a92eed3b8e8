import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { leftBehind, type MachineSnapshot, snapshot } from "../../support/machine";
import { withRootToken } from "../../support/secret-round-trips";
import { TrustStack } from "../../support/trust-stack";

const root = path.resolve(__dirname, "..", "..", "..");

/** The stack that the drill makes, loses and gets back. */
const stack = process.env["GROUNDWORK_DRILL_STACK"] ?? "trust";
const rows = 40;

/**
 * The drill of docs/runbooks/disaster-recovery.md: a stack with its machine, its state and everything else that its operator
 * had but the passphrase and the backups is lost, and comes back by one command. Twice as long as an `up`; what runs with every
 * change is the step on backups in security.test.ts, and tests/unit/backup.
 */
describe("disaster recovery, on a real machine", function () {
  this.timeout(25 * 60_000);
  this.bail(true);

  const trust = new TrustStack(stack);
  const store = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-drill-"));
  const run = async (verb: string, ...line: string[]) => {
    const done = await trust.run(verb, ...line);
    assert.equal(done.code, 0, `${verb} ${line.join(" ")}: ${(done.stdout + done.stderr).slice(-4000)}`);
    return done;
  };
  const ids: string[] = [];
  let untouched: MachineSnapshot;
  let authority = "";
  let lostAt = 0;

  before(() => {
    untouched = snapshot();
  });
  after("whatever happened, nothing of the stack stays", async () => {
    await trust.end();
    fs.rmSync(store, { recursive: true, force: true });
    fs.rmSync(trust.stateDir, { recursive: true, force: true });
  });

  it("comes up and is written to", async () => {
    await run("up", "--yes");
    const api = trust.site("api");
    for (let quantity = 1; quantity <= rows; quantity += 1) {
      const made = await api<{ id: string }>("/items", { method: "POST", body: { name: `row ${quantity}`, quantity } });
      assert.equal(made.status, 201);
      ids.push(made.body.id);
    }
    await withRootToken(trust.groundwork, trust.cluster, async (vault) => {
      await vault.write("kv/data/app/drill", { data: { answer: "forty-two" } });
    });
    authority = trust.report.ca;
  });

  it("is backed up, and nothing of it is readable where the backup lies", async () => {
    await run("backup", "--to", store);
    assert.match((await run("backup", "verify", "--to", store)).stderr, /is whole: \d+ parts, \d+ rows/);
    const files = fs.readdirSync(store, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const text = files.map((file) => fs.readFileSync(path.join(file.parentPath, file.name), "latin1")).join("\n");
    assert.ok(files.length >= 6 && text.length > 100_000, `${files.length} files`);
    for (const [name, secret] of Object.entries(trust.canaries())) {
      assert.ok(secret.length >= 16 && !text.includes(secret), `${name} stands in the backup`);
    }
    assert.ok(!text.includes("forty-two") && !text.includes("row 1"));
  });

  it("refuses what would do harm, and changes nothing", async () => {
    const refused = async (words: RegExp, ...line: string[]) => {
      const done = await trust.run(...(line as [string]));
      assert.equal(done.code, 1, done.stdout);
      assert.match(done.stderr, words);
    };
    await refused(/the state knows a cluster/, "restore", "--from", store);
    await refused(/no backup of/, "restore", "--from", path.join(store, "elsewhere"), "--lost", "--yes");
    const passphrase = path.join(trust.stateDir, "passphrase");
    const kept = fs.readFileSync(passphrase);
    fs.writeFileSync(passphrase, "another one\n");
    await refused(/the passphrase is not the one/, "restore", "--from", store, "--lost", "--yes");
    fs.writeFileSync(passphrase, kept);
    assert.equal((await trust.site("api")(`/items/${ids[0]}`)).status, 200);
  });

  it("loses its machine, and its operator's computer", () => {
    const tool = path.join(root, "components", "host", "nspawn", "tool.cjs");
    const killed = spawnSync(process.execPath, [tool, "kill", "--stack", stack, "server-1"], {
      cwd: root,
      env: trust.groundwork.env,
    });
    assert.equal(killed.status, 0);
    for (const entry of fs.readdirSync(trust.stateDir)) {
      if (entry !== "passphrase") fs.rmSync(path.join(trust.stateDir, entry), { recursive: true, force: true });
    }
    lostAt = Date.now();
  });

  it("comes back by one command, with what it had", async () => {
    const { stdout } = await run("restore", "--from", store);
    const [, rpo] = /^RPO: (\d+) s/m.exec(stdout) ?? [];
    const [, rto] = /^RTO: (\d+) s/m.exec(stdout) ?? [];
    assert.ok(rpo && rto, stdout.slice(-2000));
    const outside = Math.round((Date.now() - lostAt) / 1000);
    process.stderr.write(`    RPO ${rpo} s, RTO ${rto} s (${outside} s from the loss)\n`);
    assert.equal(trust.report.ca, authority, "clients trust it as before");
    const api = trust.site("api");
    for (const [index, id] of ids.entries()) {
      const { status, body } = await api<{ name: string }>(`/items/${id}`);
      assert.deepEqual({ status, name: body.name }, { status: 200, name: `row ${index + 1}` });
    }
    const made = await api<{ id: string }>("/items", { method: "POST", body: { name: "after", quantity: 1 } });
    assert.equal(made.status, 201);
    await withRootToken(trust.groundwork, trust.cluster, async (vault) => {
      const secret = (await vault.read("kv/data/app/drill"))?.data as { data?: object } | undefined;
      assert.deepEqual(secret?.data, { answer: "forty-two" });
    });
  });

  it("can be backed up again, and says that it is not lost", async () => {
    await run("backup", "--to", store);
    const again = await trust.run("restore", "--from", store);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /the state knows a cluster/);
    assert.equal((await trust.site("api")(`/items/${ids[0]}`)).status, 200);
  });

  it("leaves nothing behind", async () => {
    await run("destroy", "--yes");
    const ours = new RegExp(`${trust.stateDir}|k3s|systemd-nspawn`);
    assert.deepEqual(leftBehind(untouched, snapshot(), ours), {});
  });
});
