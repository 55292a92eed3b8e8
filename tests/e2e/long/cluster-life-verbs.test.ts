import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { openArtifacts } from "../../../artifacts";
import { K3S_RELEASES } from "../../../artifacts/catalogue/cluster";
import type { StackReport } from "../../../stacks/report";
import { Checkout } from "../../support/checkout";
import { Groundwork } from "../../support/groundwork";
import { client, eventually } from "../../support/https";
import { leftBehind, MachineSnapshot, snapshot } from "../../support/machine";
import { offerNewerPackage, proofPackage } from "../../support/package-repository";

const stack = "e2e-verbs";
const nodes = ["server-1", "agent-1"];
const here = K3S_RELEASES[0]!;
/** The same Kubernetes under another label: a double, see tests/support/relabelled-k3s.ts. */
const next = here.replace(/\.(\d)\+/, (_, patch: string) => `.${(Number(patch) + 1) % 10}+`);

const stackFile = (more: string) => `config:
  groundwork:domain: verbs.local
  groundwork:protect: false
  groundwork:target:
    driver: nspawn
    servers: 1
    agents: 1
    network: { cidr: 10.55.0.0/24, bridge: gwe2e9 }
    firewall:
      adminSources: [10.55.0.0/24]
  groundwork:database: { instances: 2, storage: 1Gi, memory: 256Mi }
  groundwork:api: { replicas: 2 }
  groundwork:edge: { replicas: 2 }
  groundwork:policies: { quota: { limits: { cpu: "12" } } }
${more}`;

/**
 * The verbs as a person types them, on a whole platform of a server and an agent whose database has a copy on each: `upgrade`,
 * `upgrade --os`, and `up` after the loss of a machine. What K3s and etcd do meanwhile with three servers is cluster-life.test.ts.
 */
describe("upgrades and a lost machine, by one command each", function () {
  this.timeout(20 * 60_000);
  this.bail(true);

  let checkout: Checkout;
  let groundwork: Groundwork;
  const store = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-verbs-"));
  let untouched: MachineSnapshot;
  let row = "";

  const file = `Pulumi.${stack}.yaml`;
  const run = async (...line: [string, ...string[]]) => {
    const done = await groundwork.run(...line);
    assert.equal(done.code, 0, `${line.join(" ")}: ${(done.stdout + done.stderr).slice(-5000)}`);
    return done.stdout + done.stderr;
  };
  const refused = async (words: RegExp, ...line: [string, ...string[]]) => {
    const before = checkout.read(file);
    const done = await groundwork.run(...line);
    assert.equal(done.code === 0, false, done.stdout);
    assert.match(done.stdout + done.stderr, words);
    assert.equal(checkout.read(file), before, "the stack's file is as it was");
  };
  const on = (machine: string, ...command: string[]) => groundwork.onMachine(machine, ...command).stdout.trim();
  const kubectl = (...args: string[]) => on("server-1", "k3s", "kubectl", ...args);
  const ofNodes = (path: string) =>
    Object.fromEntries(nodes.map((node) => [node, kubectl("get", "node", node, "-o", `jsonpath={${path}}`)]));
  const releases = () => ofNodes(".status.nodeInfo.kubeletVersion");
  const onBoth = (...command: string[]) => Object.fromEntries(nodes.map((node) => [node, on(node, ...command)]));
  const bootIds = () => onBoth("cat", "/proc/sys/kernel/random/boot_id");
  const versions = () => onBoth("dpkg-query", "--show", "--showformat=${Version}", proofPackage);
  const both = (value: string) => Object.fromEntries(nodes.map((node) => [node, value]));
  const inService = () => {
    assert.deepEqual(ofNodes('.status.conditions[?(@.type=="Ready")].status'), both("True"));
    assert.deepEqual(ofNodes(".spec.unschedulable"), both(""));
  };
  const backups = async () => JSON.parse((await groundwork.run("backup", "ls", "--json")).stdout) as object[];
  const api = <T>(page: string, call = {}) => {
    const summary = fs.readFileSync(`${groundwork.stateDir}/summary/${stack}.json`, "utf8");
    const { endpoints, ingressAddress, ca } = JSON.parse(summary) as StackReport;
    return client(endpoints["api"]!, ingressAddress, ca)<T>(page, call);
  };
  const rowIsThere = () =>
    eventually(60, async () => {
      const { status, body } = await api<{ name: string }>(`/items/${row}`);
      assert.deepEqual({ status, name: body.name }, { status: 200, name: "kept" });
    });
  const said = (what: string) => process.stdout.write(`      ${what}\n`);
  const timed = async (what: string, ...line: [string, ...string[]]) => {
    const started = Date.now();
    const text = await run(...line);
    said(`${what} in ${Math.round((Date.now() - started) / 1000)} s`);
    return text;
  };
  const settings = (cluster: string, backup = "") =>
    checkout.write(
      file,
      stackFile(`${backup && `  groundwork:backup: { store: ${backup} }\n`}  groundwork:cluster:\n${cluster}`),
    );

  before("a checkout of its own with one more release, and how this computer was", function () {
    if (openArtifacts().file("k3s").parts !== "stand-in") this.skip();
    untouched = snapshot();
    checkout = new Checkout();
    checkout.addRelease(next);
    groundwork = new Groundwork(stack, checkout.folder);
    settings(`    upgrade: { backup: required }\n`);
  });

  after("whatever happened, nothing of the stack stays", async () => {
    fs.rmSync(store, { recursive: true, force: true });
    if (checkout === undefined) return;
    if (fs.existsSync(`${groundwork.stateDir}/backend`)) {
      const destroyed = await groundwork.run("destroy", "--yes");
      // Without its state nobody could take a machine that is left away, so the state stays where something went wrong.
      assert.equal(destroyed.code, 0, `state kept in ${groundwork.stateDir}: ${destroyed.stderr.slice(-2000)}`);
    }
    groundwork.forget();
    checkout.close();
  });

  it("comes up and is written to", async () => {
    await timed("up", "up", "--yes");
    assert.deepEqual(releases(), both(here));
    const made = await api<{ id: string }>("/items", { method: "POST", body: { name: "kept", quantity: 1 } });
    assert.equal(made.status, 201);
    row = made.body.id;
  });

  it("is not upgraded where a backup is required and there is no store", async () => {
    await refused(/is required, and there is no store for it/, "upgrade", "--to", next, "--plan");
    await refused(/is required, and there is no store for it/, "upgrade", "--to", next, "--yes");
    assert.deepEqual(releases(), both(here));
  });

  it("is not upgraded around that by the settings alone, neither by up nor by the engine itself", async () => {
    settings(`    version: ${next}\n    upgrade: { backup: required }\n`);
    await refused(/nothing is upgraded: cluster\.upgrade\.backup is required, and there is no store/, "up", "--yes");
    const bare = ["up", "--stack", stack, "--yes", "--skip-preview", "--non-interactive"];
    await refused(/no backup of the data was taken in the last day before this upgrade/, "pulumi", ...bare);
    assert.deepEqual(releases(), both(here));
    settings(`    upgrade: { backup: required }\n`);
  });

  it("is not upgraded where the backup can't be taken", async () => {
    const blocked = path.join(store, "blocked");
    fs.writeFileSync(blocked, "a file where a folder has to be");
    settings(`    upgrade: { backup: wanted }\n`, path.join(blocked, "below"));
    await refused(/nothing is upgraded: no backup of e2e-verbs could be taken/, "upgrade", "--to", next, "--yes");
    assert.deepEqual(releases(), both(here));
  });

  it("is upgraded by one command, a backup first", async () => {
    settings(`    upgrade: { backup: required }\n`, store);
    const plan = await run("upgrade", "--to", next, "--plan");
    assert.match(plan, /1 +server-1 +server[^]*2 +agent-1 +agent/);
    assert.match(plan, /data: a backup of the data is taken first, into .*; there is none yet/);
    assert.match(plan, /not known before the first time/);
    assert.deepEqual(await backups(), []);

    await timed(`upgraded to ${next}`, "upgrade", "--to", next, "--yes");
    assert.deepEqual(releases(), both(next));
    inService();
    assert.equal((await backups()).length, 1);
    assert.match(checkout.read(file), new RegExp(`version: ${next.replace("+", "\\+")}\\n`));
    await rowIsThere();
    const release = next.replace("+", "\\+");
    const name = next.slice(1).replace("+", "-");
    const line = `cluster +ready +2 of 2 nodes Ready, ${release} +k3s-${name} ${release} \\(stand-in\\)`;
    assert.match(await run("status"), new RegExp(line));
  });

  it("has nothing to do then, and says how long it took", async () => {
    assert.match(await run("upgrade", "--yes"), /all 2 nodes have K3s .*: nothing to do/);
    const back = await run("upgrade", "--to", here, "--plan");
    assert.match(back, /took (\d+ s|\d+\.\d s|\d+ min) last time/);
    assert.match(back, /the last one is \d{8}T\d{6}Z, /);
  });

  it("gets newer packages by one command, with the restart that they ask for where a server can see it", async () => {
    for (const node of nodes) assert.equal(groundwork.onMachine(node, "bash", "-c", offerNewerPackage).code, 0, node);
    assert.deepEqual(versions(), both("1.0"));
    const before = bootIds();
    const started = Math.floor(Date.now() / 1000);
    const text = await timed("packages, and a restart", "upgrade", "--os", "--yes");
    assert.match(text, /server-1 asks for a restart, and there is no other server to see it come back from/);
    assert.equal(bootIds()["server-1"], before["server-1"]);
    assert.notEqual(bootIds()["agent-1"], before["agent-1"], "agent-1 was restarted");
    const today = new Date().toISOString().slice(0, 10);
    assert.deepEqual(versions(), both("2.0"));
    for (const node of nodes) {
      const [day, seconds, moment] = ofNodes(".metadata.annotations.groundwork/last-patches")[node]!.split(" ");
      assert.equal(day, today, node);
      assert.ok(Number(seconds) > 0 && Number(moment) >= started, node);
    }
    inService();
    assert.deepEqual(releases(), both(next));
    assert.equal((await backups()).length, 2);
    await rowIsThere();
    assert.match(await run("upgrade", "--os", "--day", today, "--plan"), /have the packages of .*: nothing to do/);
    assert.match(await run("upgrade", "--os", "--day", "2099-01-01", "--plan"), /took .* last time/);
    await run("up", "--yes", "--", "--expect-no-changes");
  });

  it("has a machine that is gone made anew by one up, with its copy of the data, and touches no other", async () => {
    // Without a day of packages: the new machine knows Debian's own repositories, and may have no way to them.
    settings(`    version: ${next}\n    upgrade: { backup: required }\n`, store);
    const before = bootIds();
    const startOf = () => on("server-1", "systemctl", "show", "--property=ActiveEnterTimestampMonotonic", "k3s");
    const started = startOf();
    const identity = kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}");
    const tool = path.join(checkout.folder, "components", "host", "nspawn", "tool.cjs");
    for (const line of [
      ["kill", `${stack}/agent-1`],
      ["delete", `${stack}/agent-1`],
    ]) {
      assert.equal(spawnSync(process.execPath, [tool, ...line], { env: groundwork.env }).status, 0, line.join(" "));
    }
    assert.ok(!fs.existsSync(`${groundwork.stateDir}/machines/${stack}/agent-1`));
    const text = await timed("agent-1 made anew", "up", "--yes");
    assert.match(text, /machine agent-1 is gone from this computer: this run makes it anew/);
    inService();
    assert.deepEqual(releases(), both(next));
    assert.notEqual(bootIds()["agent-1"], before["agent-1"]);
    assert.equal(bootIds()["server-1"], before["server-1"]);
    assert.equal(startOf(), started, "the server's K3s was not restarted");
    assert.equal(kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"), identity);
    await eventually(180, async () =>
      assert.equal(
        kubectl("get", "clusters.postgresql.cnpg.io", "app-db", "-n", "app", "-o", "jsonpath={.status.readyInstances}"),
        "2",
      ),
    );
    await rowIsThere();
    await run("up", "--yes", "--", "--expect-no-changes");
  });

  it("leaves nothing behind", async () => {
    await run("destroy", "--yes");
    assert.deepEqual(leftBehind(untouched, snapshot(), /e2e-verbs/), {});
  });
});
