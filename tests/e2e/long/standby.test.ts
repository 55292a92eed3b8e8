import * as assert from "node:assert/strict";
import { parse } from "yaml";
import { eventually } from "../../support/https";
import { leftBehind, type MachineSnapshot, snapshot } from "../../support/machine";
import { withRootToken } from "../../support/secret-round-trips";
import { StandbyPair } from "../../support/standby-pair";
import type { TrustStack } from "../../support/trust-stack";

const drill = "kv/data/app/drill";
const sealedSecrets = "/apis/bitnami.com/v1alpha1/namespaces/app/sealedsecrets";

/**
 * The second region of docs/runbooks/disaster-recovery.md: a stack that is kept up to date from another one's backups, and takes
 * its place when that is lost. Both are one machine each on this computer, with only what a standby brings over.
 */
describe("a standby, on real machines", function () {
  this.timeout(25 * 60_000);
  this.bail(true);

  const pair = new StandbyPair();
  const { first, second, store } = pair;
  const run = async (stack: TrustStack, verb: string, ...line: string[]) => {
    const done = await stack.run(verb, ...line);
    assert.equal(done.code, 0, `${verb} ${line.join(" ")}: ${(done.stdout + done.stderr).slice(-4000)}`);
    return done;
  };
  const refused = async (words: RegExp, verb: string, ...line: string[]) => {
    const done = await second.run(verb, ...line);
    assert.equal(done.code, 1, done.stdout);
    assert.match(done.stderr, words);
  };
  const write = async (at: TrustStack, name: string): Promise<string> => {
    const body = { name, quantity: 1 };
    const made = await pair.api(at, authority)<{ id: string }>("/items", { method: "POST", body });
    assert.equal(made.status, 201);
    return made.body.id;
  };
  const tell = (words: string) => process.stderr.write(`    ${words}\n`);
  const secretOf = (stack: TrustStack) =>
    withRootToken(stack.groundwork, stack.cluster, async (vault) => {
      const found = (await vault.read(drill))?.data as { data?: object } | undefined;
      return found?.data;
    });
  const tellSecret = (answer: string) =>
    withRootToken(first.groundwork, first.cluster, (vault) => vault.write(drill, { data: { answer } }));
  const doesNotServe = async () => {
    const api = "/apis/apps/v1/namespaces/app/deployments/api";
    const { spec } = await second.cluster.api<{ spec: { replicas: number } }>("GET", api);
    assert.equal(spec.replicas, 0);
    const { status } = await pair.api(second, authority)("/items");
    assert.ok([404, 502, 503].includes(status), `the edge answers ${status}`);
  };
  const ids = { kept: "", changed: "", deleted: "", late: "" };
  let untouched: MachineSnapshot;
  let authority = "";
  let sealed: object = {};
  let taken = 0;

  before(() => {
    untouched = snapshot();
  });
  after("whatever happened, nothing of the stacks stays", () => pair.end());

  it("begins with a stack that serves, and its backup", async () => {
    await run(first, "up", "--yes");
    authority = first.report.ca;
    ids.kept = await write(first, "kept");
    ids.changed = await write(first, "as it was");
    ids.deleted = await write(first, "deleted later");
    await tellSecret("of the first backup");
    await run(first, "backup", "--to", store);
  });

  it("is filled from that backup by an operator who has nothing else but the passphrase, and does not serve", async () => {
    pair.sharePassphrase();
    await refused(/west has no data yet/, "standby", "promote", "--yes");
    const { stdout } = await run(second, "standby", "sync", "--from", store);
    tell(/^sync: .*$/m.exec(stdout)?.[0] ?? "");
    assert.deepEqual(pair.rows(), ["as it was", "deleted later", "kept"]);
    assert.deepEqual(await secretOf(second), { answer: "of the first backup" });
    await doesNotServe();
    assert.equal((await pair.api(first, authority)(`/items/${ids.kept}`)).status, 200, "the first one serves on");
  });

  it("gets what was written, changed and deleted since, sealing keys and recovery keys too", async () => {
    const api = pair.api(first, authority);
    const body = { name: "changed", quantity: 2 };
    assert.equal((await api(`/items/${ids.changed}`, { method: "PUT", body })).status, 200);
    assert.equal((await api(`/items/${ids.deleted}`, { method: "DELETE" })).status, 204);
    await write(first, "second");
    await tellSecret("of the second backup");
    await run(first, "vault", "rotate-recovery-keys");
    await pair.renewSealingKey();
    const line = ["--name", "drill", "--namespace", "app"];
    const { stdout: yaml, stderr } = await first.groundwork.feed("word=open\n", "seal", ...line);
    sealed = parse(yaml) as object;
    assert.ok(yaml.includes("encryptedData"), stderr);
    await run(first, "backup", "--to", store);
    await killSyncHalfWay();
    await refused(/did not end/, "standby", "promote", "--yes");

    const { stdout } = await run(second, "standby", "sync", "--from", store);
    tell(`later ${/^sync: .*$/m.exec(stdout)?.[0] ?? ""}`);
    assert.deepEqual(pair.rows(), ["changed", "kept", "second"]);
    assert.deepEqual(await secretOf(second), { answer: "of the second backup" });
    await doesNotServe();
  });

  it("takes one sync after the other, and says when there is nothing newer", async () => {
    assert.match((await run(second, "standby", "sync", "--from", store)).stderr, /there is no newer backup/);
    ids.late = await write(first, "third");
    await run(first, "backup", "--to", store);
    const { stdout } = await run(second, "standby", "sync", "--from", store);
    taken = Date.parse(/ as of (\S+), /.exec(stdout)?.[1] ?? "");
    assert.ok(taken > 0, stdout);
    assert.deepEqual(pair.rows(), ["changed", "kept", "second", "third"]);
    assert.match((await second.run("doctor")).stdout, /standby .*has east as of /);
    await doesNotServe();
  });

  it("takes the place of the first one that is lost, and serves what that had at the last sync", async () => {
    const lost = await write(first, "after the last backup");
    await refused(/the name was not given/, "standby", "promote");
    await doesNotServe();
    first.lose("server-1");
    const lostAt = Date.now();
    const { stdout } = await run(second, "standby", "promote", "--yes");
    const api = pair.api(second, authority);
    const read = await eventually(30, async () => {
      const answer = await api<{ name: string }>(`/items/${ids.late}`);
      assert.equal(answer.status, 200);
      return answer;
    });
    const seconds = (from: number, to: number) => Math.round((to - from) / 1000);
    tell(`RPO ${seconds(taken, lostAt)} s, RTO ${seconds(lostAt, Date.now())} s from the loss`);
    const [rpo, rto] = ["RPO", "RTO"].map((name) => new RegExp(`^${name}: (\\d+) s`, "m").exec(stdout)?.[1]);
    assert.ok(rpo && rto, stdout);
    tell(`promote says RPO ${rpo} s, RTO ${rto} s`);
    assert.match(stdout, new RegExp(`^DNS: point .*api.standby.local.* to ${second.report.ingressAddress}$`, "m"));
    assert.equal(read.body.name, "third");
    assert.equal((await api<{ name: string }>(`/items/${ids.changed}`)).body.name, "changed");
    for (const id of [ids.deleted, lost]) assert.equal((await api(`/items/${id}`)).status, 404);
    await write(second, "by the second");
    assert.match(pair.checkout.read("Pulumi.west.yaml"), /^ {4}of: east\n {4}promoted: true$/m);
  });

  it("opens what was sealed for the first, has its Vault, and is a stack like any other", async () => {
    await second.cluster.api("POST", sealedSecrets, sealed);
    await eventually(60, async () => {
      assert.deepEqual(await second.cluster.readSecret("app", "drill"), { word: "open" });
    });
    assert.deepEqual(await secretOf(second), { answer: "of the second backup" });
    await refused(/was promoted and serves/, "standby", "sync", "--from", store);
    await run(second, "backup", "--to", store);
    await run(second, "status");
  });

  it("leaves nothing behind, and neither does the lost one", async () => {
    await run(second, "destroy", "--yes");
    await run(first, "destroy", "--yes");
    const ours = new RegExp(`${first.stateDir}|${second.stateDir}|k3s|systemd-nspawn`);
    assert.deepEqual(leftBehind(untouched, snapshot(), ours), {});
  });

  /** Kills a sync with all its processes when Vault has the newer data and the database has not. */
  async function killSyncHalfWay(): Promise<void> {
    const child = second.groundwork.start("standby", "sync", "--from", store);
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes("Vault has the newer snapshot") && child.pid) process.kill(-child.pid, "SIGKILL");
    });
    const signal = await new Promise((resolve) => child.on("close", (_code, by) => resolve(by)));
    assert.equal(signal, "SIGKILL", said.slice(-2000));
  }
});
