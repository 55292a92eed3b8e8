import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { parse } from "yaml";
import { Groundwork } from "../support/groundwork";
import { client, eventually } from "../support/https";
import { leftBehind, MachineSnapshot, snapshot } from "../support/machine";
import type { StackReport } from "../../stacks/report";
import type { Status } from "../../cli/status";

interface Item {
  id: string;
  name: string;
}

/**
 * The main job on a real machine: hosts, cluster, operator, database, ingress and API of the stack `e2e`, from
 * nothing to nothing. The steps build on each other and run in this order.
 */
describe("a stack from nothing to nothing", function () {
  this.timeout(15 * 60_000);
  this.bail(true);

  const groundwork = new Groundwork("e2e");
  const k3s = (...command: string[]) => groundwork.onMachine("server-1", "k3s", "kubectl", ...command);
  let untouched: MachineSnapshot;
  let api: ReturnType<typeof client>;
  let row: Item;

  const report = () => JSON.parse(fs.readFileSync(`${groundwork.stateDir}/summary/e2e.json`, "utf8")) as StackReport;
  const readRow = async () => {
    const answer = await api<Item>(`/items/${row.id}`);
    assert.equal(answer.status, 200);
    assert.equal(answer.body.name, row.name);
  };

  before("nothing of the stack exists", () => {
    untouched = snapshot();
  });

  after("whatever happened, nothing of the stack stays", async () => {
    if (!fs.existsSync(`${groundwork.stateDir}/backend`)) return;
    const destroyed = await groundwork.run("destroy", "--yes");
    // Without its state nobody could take a machine that is left away, so the state stays where something went wrong.
    assert.equal(destroyed.code, 0, `state kept in ${groundwork.stateDir}: ${destroyed.stderr.slice(-2000)}`);
    groundwork.forget();
  });

  it("converges although the engine is killed at ten random moments", async () => {
    for (let kill = 0; kill < 10; kill++) {
      const run = groundwork.start("up", "--yes");
      const ended = new Promise((resolve) => run.on("close", resolve));
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 2000 + Math.random() * 10_000))]);
      if (run.exitCode === null && run.pid) process.kill(-run.pid, "SIGKILL");
      await ended;
    }
    const last = await groundwork.run("up", "--yes");
    assert.equal(last.code, 0, last.stdout.slice(-4000) + last.stderr.slice(-4000));
    const { ingressAddress, ca } = report();
    api = client(report().endpoints["api"]!, ingressAddress, ca);
  });

  it("says of each component that it is ready, and on which parts it runs", async () => {
    const { code, stdout } = await groundwork.run("status", "--json");
    const status = JSON.parse(stdout) as Status;
    assert.equal(code, 0, stdout);
    assert.equal(status.stack, "e2e");
    assert.ok(status.components.length >= 5);
    for (const component of status.components) {
      assert.equal(component.ready, true, `${component.name}: ${component.proof}`);
      assert.match(component.parts, /^(official|stand-in)$/);
    }
    assert.ok(fs.existsSync(status.ca));
  });

  it("serves over TLS a row that it wrote", async () => {
    const made = await api<Item>("/items", { method: "POST", body: { name: `row ${randomUUID()}`, quantity: 3 } });
    assert.equal(made.status, 201);
    row = made.body;
    await readRow();
  });

  it("is refused by a client that does not know the stack's CA", async () => {
    const stranger = client(report().endpoints["api"]!, report().ingressAddress, "");
    await assert.rejects(stranger("/healthz"), /self-signed|unable to verify|unable to get/i);
  });

  it("changes nothing when nothing changed", async () => {
    const again = await groundwork.run("up", "--yes", "--", "--expect-no-changes");
    assert.equal(again.code, 0, again.stdout.slice(-4000) + again.stderr.slice(-2000));
  });

  it("lets the API reach its database and nothing else", () => {
    const reach = (host: string, port: number) =>
      `const s=require("node:net").connect({host:"${host}",port:${port},timeout:3000});` +
      `s.on("connect",()=>{console.log("open");process.exit(0)});` +
      `for(const e of ["error","timeout"])s.on(e,()=>{console.log("refused");process.exit(0)})`;
    const fromApi = (host: string, port: number) =>
      k3s("-n", "app", "exec", "deploy/api", "--", "node", "-e", reach(host, port)).stdout.trim();
    assert.equal(fromApi("app-db-rw.app.svc.cluster.local", 5432), "open");
    assert.equal(fromApi("kubernetes.default.svc.cluster.local", 443), "refused");
    assert.equal(fromApi("cnpg-webhook-service.cnpg-system.svc.cluster.local", 443), "refused");
  });

  it("shows no secret in state files, logs, process arguments or ConfigMaps", () => {
    const decode = (name: string, key: string) => {
      const secret = JSON.parse(k3s("-n", "app", "get", "secret", name, "-o", "json").stdout) as {
        data: Record<string, string>;
      };
      return Buffer.from(secret.data[key]!, "base64").toString("utf8");
    };
    const kubeconfig = parse(fs.readFileSync(`${groundwork.stateDir}/kubeconfig/e2e`, "utf8")) as {
      users: { user: { "client-key-data": string } }[];
    };
    const secrets: Record<string, string> = {
      "database password": decode("app-db-login", "password"),
      "kubeconfig key": kubeconfig.users[0]!.user["client-key-data"],
      "join token": groundwork
        .onMachine("server-1", "cat", "/var/lib/rancher/k3s/server/token")
        .stdout.trim()
        .split(":")
        .pop()!,
      passphrase: fs.readFileSync(`${groundwork.stateDir}/passphrase`, "utf8").trim(),
    };
    const kept = new Set([`${groundwork.stateDir}/passphrase`, `${groundwork.stateDir}/kubeconfig/e2e`]);
    const places: Record<string, string> = Object.fromEntries(
      groundwork
        .stateFiles()
        .filter((file) => !kept.has(file))
        .map((file) => [file, fs.readFileSync(file, "latin1")]),
    );
    places["process arguments"] = snapshot().processes.join("\n");
    places["ConfigMaps"] = k3s("get", "configmaps", "-A", "-o", "yaml").stdout;
    places["workloads"] = k3s("get", "pods,deployments,statefulsets,jobs,events", "-A", "-o", "yaml").stdout;
    places["journal"] = groundwork.onMachine("server-1", "journalctl", "--no-pager", "-o", "cat").stdout;
    assert.ok(places["workloads"].length > 1000 && places["journal"].length > 1000);
    for (const [name, secret] of Object.entries(secrets)) {
      assert.ok(secret.length >= 16, `${name} was found`);
      for (const [place, text] of Object.entries(places))
        assert.ok(!text.includes(secret), `${name} stands in ${place}`);
    }
  });

  it("still reads the row after the API's pod was killed", async () => {
    assert.equal(
      k3s("-n", "app", "delete", "pod", "-l", "app.kubernetes.io/name=api", "--grace-period=0", "--force").code,
      0,
    );
    await eventually(90, readRow);
  });

  it("still reads the row after the Postgres primary was killed", async () => {
    const primary = "cnpg.io/cluster=app-db,cnpg.io/instanceRole=primary";
    assert.equal(k3s("-n", "app", "delete", "pod", "-l", primary, "--grace-period=0", "--force").code, 0);
    await eventually(120, readRow);
  });

  it("still reads the row after the host was killed and started again", async () => {
    const tool = ["components/host/nspawn/tool.cjs"];
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [...tool, ...args], { env: groundwork.env, encoding: "utf8" });
    assert.equal(run("kill", "--stack", "e2e", "server-1").status, 0);
    await assert.rejects(readRow());
    const up = await groundwork.run("up", "--yes");
    assert.equal(up.code, 0, up.stdout.slice(-3000) + up.stderr.slice(-3000));
    await eventually(120, readRow);
  });

  it("leaves nothing on the machine after destroy", async () => {
    const destroyed = await groundwork.run("destroy", "--yes");
    assert.equal(destroyed.code, 0, destroyed.stdout.slice(-3000) + destroyed.stderr.slice(-3000));
    const left = leftBehind(untouched, snapshot(), new RegExp(`${groundwork.stateDir}|k3s|systemd-nspawn|gwe2e`));
    assert.deepEqual(left, {});
    assert.equal(fs.existsSync(`${groundwork.stateDir}/machines/e2e`), false);
  });
});
