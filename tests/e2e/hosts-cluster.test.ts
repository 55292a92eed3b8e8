import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { openArtifacts } from "../../artifacts";
import { KubeClient } from "../../cli/access/api";
import { loginOf } from "../../cli/kube";
import { issueCertificate } from "../../cli/access/certificate";
import { judge, OnMachine, runKubeBench, witnessFindings } from "../support/cis";
import { hostFindings, secretsEncryptionFindings } from "../support/host-security";
import { eventually } from "../support/https";
import { leftBehind, MachineSnapshot, snapshot } from "../support/machine";
import { Project } from "../support/project";

const network = { cidr: "10.44.0.0/24", bridge: "gwe2e3" };

describe("a cluster of one server and two agents", function () {
  this.timeout(15 * 60_000);
  this.bail(true);

  const project = new Project("e2e-cluster");
  const target = { driver: "nspawn", servers: 1, agents: 2, network };
  const manifest = path.join(project.folder, "crd.yaml");
  const withCrds = { GROUNDWORK_E2E_MANIFEST: manifest };
  const nodes = ["server-1", "agent-1", "agent-2"];
  let untouched: MachineSnapshot;

  const kubectl = (...args: string[]) => project.inside("server-1", "k3s", "kubectl", ...args);
  const readyNodes = () => {
    const { items } = JSON.parse(kubectl("get", "nodes", "-o", "json") || '{"items":[]}') as {
      items: { metadata: { name: string }; status: { conditions: { type: string; status: string }[] } }[];
    };
    const isReady = (node: (typeof items)[number]) =>
      node.status.conditions.some(({ type, status }) => type === "Ready" && status === "True");
    return items
      .filter(isReady)
      .map((node) => node.metadata.name)
      .sort();
  };

  before("an engine, and how this computer was", async () => {
    untouched = snapshot();
    await project.open();
    const schema = {
      type: "object",
      properties: { spec: { type: "object", description: "long", properties: { size: { type: "integer" } } } },
    };
    const names = { plural: "boxes", singular: "box", kind: "Box" };
    const versions = [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schema } }];
    const definition = {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "boxes.e2e.test" },
    };
    const spec = { group: "e2e.test", scope: "Namespaced", names, versions };
    fs.writeFileSync(manifest, `kind: Namespace\n---\n${JSON.stringify({ ...definition, spec })}\n`);
  });

  after("nothing stays, whatever happened", () => project.close());

  it("comes up in one run, every node Ready", async () => {
    await project.up(target, withCrds);
    assert.deepEqual(readyNodes(), [...nodes].sort());
  });

  it("changes nothing when nothing changed", () => project.up(target, withCrds, "--expect-no-changes"));

  it("serves the definitions of the bundle, without their descriptions", () => {
    assert.match(kubectl("get", "crd", "boxes.e2e.test", "-o", "json"), /"Established"/);
    assert.doesNotMatch(kubectl("get", "crd", "boxes.e2e.test", "-o", "jsonpath={.spec}"), /long/);
  });

  it("answers names through the DNS Service from every machine", async () => {
    const ask = "exec 3<>/dev/tcp/10.43.0.10/53 && echo open";
    await eventually(120, async () => {
      for (const node of nodes) assert.equal(project.inside(node, "timeout", "3", "bash", "-c", ask), "open", node);
    });
  });

  it("refuses a pod that the restricted profile forbids", () => {
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "bad" },
      spec: { containers: [{ name: "a", image: "a", securityContext: { privileged: true } }] },
    };
    const create = `printf '%s' '${JSON.stringify(pod)}' | k3s kubectl create --dry-run=server -n default -f - 2>&1`;
    assert.match(project.inside("server-1", "sh", "-c", create), /violates PodSecurity "restricted:latest"/);
  });

  it("answers nobody without a certificate or a token", () => {
    const ask =
      "const o={host:'10.44.0.10',port:6443,path:'/api',rejectUnauthorized:false};require('https').get(o,r=>{console.log(r.statusCode);r.resume()})";
    assert.equal(spawnSync(process.execPath, ["-e", ask], { encoding: "utf8" }).stdout.trim(), "401");
  });

  it("keeps what is secret in files of root's alone, and out of processes", () => {
    const modes = project.inside(
      "server-1",
      "sh",
      "-c",
      "stat -c '%a %n' /etc/rancher/k3s/* /var/lib/rancher/k3s/server/psa.yaml /var/lib/rancher/k3s/server/logs/audit.log /var/lib/rancher/k3s/server/tls/*.crt",
    );
    for (const line of modes.split("\n").filter((one) => !one.endsWith(".d"))) assert.match(line, /^600 /, line);
    for (const node of nodes) {
      // The pattern comes from the file: as an argument it would find itself.
      const found =
        "grep -lF -f /etc/rancher/k3s/token /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null || echo none";
      assert.equal(project.inside(node, "sh", "-c", found), "none", node);
    }
    const state = fs.readFileSync(
      path.join(project.folder, "state/backend/.pulumi/stacks/groundwork-e2e/e2e-cluster.json"),
      "utf8",
    );
    for (const secret of [
      project.inside("server-1", "cat", "/etc/rancher/k3s/token"),
      "OPENSSH PRIVATE KEY",
      "client-key-data",
    ]) {
      assert.ok(secret.length > 10 && !state.includes(secret));
    }
  });

  it("gets an agent and a server back after a power cut", async () => {
    for (const name of ["agent-2", "server-1"]) project.machineTool("kill", "--stack", project.stack, name);
    const revived = project.machineTool("ensure", "--stack", project.stack);
    assert.equal(revived.status, 0, revived.stderr);
    await eventually(180, async () => assert.deepEqual(readyNodes(), [...nodes].sort()));
    await project.up(target, withCrds, "--expect-no-changes");
  });

  it("leaves nothing behind", async () => {
    await project.destroy();
    assert.deepEqual(leftBehind(untouched, snapshot(), /e2e-cluster/), {});
  });
});

describe("a cluster on a machine that exists", function () {
  this.timeout(10 * 60_000);
  this.bail(true);

  const project = new Project("e2e-ssh");
  const key = path.join(project.folder, "key");
  const target = { driver: "ssh", hosts: [{ name: "box", address: "10.44.0.30" }], privateKeyFile: key };
  // But for apt's own notes of when it was asked.
  const files = () =>
    project.inside("box", "sh", "-c", "find /etc /usr/local /var/lib -xdev | grep -v ^/var/lib/apt/ | sort");
  let pristine: string;

  before("a machine that was there before", async () => {
    await project.open();
    for (const file of [key, `${key}-other`]) spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
    const rootfs = openArtifacts().file("rootfs");
    const spec = {
      ...{
        stack: project.stack,
        name: "box",
        address: "10.44.0.30",
        prefix: 24,
        gateway: "10.44.0.1",
        bridge: network.bridge,
      },
      ...{ publicKey: fs.readFileSync(`${key}.pub`, "utf8"), rootfs: rootfs.path, rootfsDigest: rootfs.sha256 },
    };
    project.makeMachine(spec);
    // These files of the baseline are part of the seed of our machines, and not of others.
    project.inside("box", "rm", "-r", "/etc/ssh/sshd_config.d/10-groundwork.conf", "/etc/systemd/journald.conf.d");
    pristine = files();
  });

  after("nothing stays, whatever happened", () => project.close());

  it("is told which line to install where the key is refused", async () => {
    const stranger = { ...target, privateKeyFile: `${key}-other` };
    const done = await project.pulumi(
      { GROUNDWORK_E2E_TARGET: JSON.stringify(stranger) },
      "up",
      "--yes",
      "--skip-preview",
    );
    assert.notEqual(done.code, 0);
    assert.match(done.output, /machine box \(10\.44\.0\.30:22\) refuses the key: add this line/);
    assert.ok(done.output.includes(fs.readFileSync(`${key}-other.pub`, "utf8").split(" ")[1]!));
  });

  it("comes up over SSH alone, with artefacts copied", async () => {
    await project.up(target);
    assert.match(project.inside("box", "k3s", "kubectl", "get", "node", "box"), / Ready /);
  });

  const on: OnMachine = (...command) => {
    const done = project.machineTool("exec", "--stack", project.stack, "box", "--", ...command);
    return { code: done.status ?? 1, stdout: done.stdout, stderr: done.stderr };
  };

  it("has its hardening", () => {
    assert.deepEqual(
      hostFindings(on, { fail2ban: true, upgrades: true, neverBanned: ["10.44.0.30", "10.44.0.1"] }),
      [],
    );
  });

  it("passes the CIS benchmark, but for what has its reason", () => {
    assert.deepEqual(judge(runKubeBench(on)), []);
    const nothing = { files: [], "etcd-flags": [], people: [], admission: [], audit: [] };
    assert.deepEqual(witnessFindings(on), nothing);
  });

  it("keeps Secrets encrypted in etcd, and out of the audit log", () => {
    assert.deepEqual(secretsEncryptionFindings(on), []);
  });

  it("signs certificates of hours for people", async () => {
    const file = path.join(project.folder, "kubeconfig");
    const text = on("sed", "s/127.0.0.1/10.44.0.30/", "/etc/rancher/k3s/k3s.yaml").stdout;
    fs.writeFileSync(file, text, { mode: 0o600 });
    const administrator = loginOf(file);
    const api = new KubeClient(administrator);
    const issued = await issueCertificate(api, { user: "jane", group: "groundwork:viewers", hours: 1 });
    assert.ok(Math.abs(issued.notAfter.getTime() - Date.now() - 3600_000) < 600_000, issued.notAfter.toISOString());
    const jane = new KubeClient({ ...administrator, certificate: issued.certificate, key: issued.privateKey });
    // No role is bound here, so she is known, and may do nothing.
    await assert.rejects(jane.request("GET", "/api/v1/namespaces"), /User "jane" cannot list resource "namespaces"/);
    const left = await api.request<{ items: unknown[] }>(
      "GET",
      "/apis/certificates.k8s.io/v1/certificatesigningrequests",
    );
    assert.deepEqual(left.items, []);
  });

  it("gives the machine back as it was", async () => {
    await project.destroy();
    const [before, after] = [pristine, files()].map((list) => list.split("\n"));
    assert.deepEqual(
      after!.filter((file) => !before!.includes(file)),
      [],
      "left behind",
    );
    assert.deepEqual(
      before!.filter((file) => !after!.includes(file)),
      [],
      "taken away",
    );
    assert.equal(
      project.inside(
        "box",
        "sh",
        "-c",
        "nft list tables | grep groundwork; iptables-save | grep -E 'KUBE-|CNI-'; ls /usr/local/bin",
      ),
      "",
    );
  });
});
