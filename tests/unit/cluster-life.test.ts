import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import fc from "fast-check";
import { K3S_RELEASES, k3sEntries } from "../../artifacts/catalogue/cluster";
import type { ClusterPlan, NodePlan } from "../../components/cluster/config";
import { drainFunctions } from "../../components/cluster/drain";
import { installScript, upgradeScript } from "../../components/cluster/install";
import { joinScript, witnessScript } from "../../components/cluster/join";
import { departureScript } from "../../components/cluster/member";
import { patchScript, returnScript } from "../../components/cluster/os";
import { backupAge, GateSettings, gateScript, patchGateScript } from "../../components/cluster/rolling";
import { clusterSchema } from "../../components/cluster/settings";
import { chooseRelease, compareReleases, parseRelease, stepProblem } from "../../components/cluster/versions";
import { script } from "../../components/host/remote-script";

const server: NodePlan = { name: "server-1", address: "10.9.0.10", role: "server", sharesKernel: false };
const second: NodePlan = { ...server, name: "server-2", address: "10.9.0.11" };
const third: NodePlan = { ...server, name: "server-3", address: "10.9.0.12" };
const agent: NodePlan = { ...server, name: "agent-1", address: "10.9.0.20", role: "agent" };
const plan = (...nodes: NodePlan[]): ClusterPlan => ({ ...clusterSchema.parse({}), nodes, unrestricted: [] });
const three = plan(server, second, third, agent);
const tokens = { server: "canary-server-token", agent: "canary-agent-token" };
const k3s = { path: "/artifacts/k3s", sha256: "ab".repeat(32), version: "v1.36.4+k3s1" };

describe("releases of K3s", () => {
  const release = fc
    .tuple(fc.integer({ min: 20, max: 50 }), fc.integer({ min: 0, max: 20 }), fc.integer({ min: 1, max: 4 }))
    .map(([minor, patch, packaging]) => `v1.${minor}.${patch}+k3s${packaging}`);

  it("are read, and what is none is not", () => {
    assert.deepEqual(parseRelease("v1.36.3+k3s1"), { minor: 36, patch: 3, packaging: 1 });
    for (const none of ["1.36", "v1.36.3", "v2.0.0+k3s1", "latest"]) assert.equal(parseRelease(none), undefined);
  });

  it("compare as numbers do", () => {
    assert.ok(compareReleases("v1.36.10+k3s1", "v1.36.9+k3s2") > 0);
    fc.assert(
      fc.property(release, release, (a, b) => Math.sign(compareReleases(a, b)) === -Math.sign(compareReleases(b, a))),
    );
  });

  it("are chosen by name or by minor version, the newest of it", () => {
    const releases = ["v1.36.3+k3s1", "v1.37.1+k3s2", "v1.37.10+k3s1"];
    assert.equal(chooseRelease(undefined, releases), "v1.36.3+k3s1");
    assert.equal(chooseRelease("1.37", releases), "v1.37.10+k3s1");
    assert.equal(chooseRelease("v1.37.1+k3s2", releases), "v1.37.1+k3s2");
    assert.equal(chooseRelease("1.35", releases), undefined);
  });

  it("have a name in the catalogue each, and the first has the plain one", () => {
    assert.deepEqual(k3sEntries(K3S_RELEASES[0]), { binary: "k3s", images: "k3s-airgap" });
    assert.deepEqual(k3sEntries("v1.99.0+k3s2"), { binary: "k3s-1.99.0-k3s2", images: "k3s-airgap-1.99.0-k3s2" });
  });

  it("follow one another by a minor version at most, and never back by one", () => {
    assert.equal(stepProblem("v1.36.3+k3s1", "v1.36.4+k3s1"), undefined);
    assert.equal(stepProblem("v1.36.4+k3s1", "v1.36.3+k3s1"), undefined);
    assert.equal(stepProblem("v1.36.4+k3s1", "v1.37.0+k3s1"), undefined);
    assert.match(stepProblem("v1.36.4+k3s1", "v1.38.0+k3s1")!, /skips no minor version: .* a release of 1\.37 /);
    assert.match(stepProblem("v1.36.4+k3s1", "v1.35.9+k3s1")!, /does not go back a minor version/);
  });

  it("are judged by the machines as they are here", () => {
    const functions = /minor\(\) \{[\s\S]*?\n\}\n/.exec(gateScript("v1.0.0+k3s1"))![0];
    const pairs = fc.sample(fc.tuple(release, release), 20);
    const asked = pairs.map(([from, to]) => `echo "$(step_problem '${from}' '${to}')"`);
    const done = spawnSync("bash", ["-c", functions + asked.join("\n")], { encoding: "utf8" });
    assert.deepEqual(
      done.stdout.split("\n").slice(0, pairs.length),
      pairs.map(([from, to]) => stepProblem(from, to) ?? ""),
    );
  });
});

/** A folder that stands for a machine's root, with commands of its own, and what a script does there. */
class Machine {
  readonly root = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-machine-"));
  private readonly bin = path.join(this.root, "usr/local/bin");

  constructor() {
    for (const folder of [this.bin, "etc/rancher/k3s", "var/lib/rancher/k3s", "run"].map((one) =>
      path.resolve(this.root, one),
    )) {
      fs.mkdirSync(folder, { recursive: true });
    }
    this.command("flock", "exit 0");
    this.command("sleep", "exit 0");
  }

  command(name: string, text: string): void {
    fs.writeFileSync(path.join(this.bin, name), `#!/bin/bash\nM=${this.root}\n${text}\n`, { mode: 0o755 });
  }

  write(file: string, text = ""): void {
    fs.mkdirSync(path.dirname(path.join(this.root, file)), { recursive: true });
    fs.writeFileSync(path.join(this.root, file), text);
  }

  read(file: string): string {
    const at = path.join(this.root, file);
    return fs.existsSync(at) ? fs.readFileSync(at, "utf8") : "";
  }

  run(verb: "apply" | "remove", text: string): { code: number; stdout: string; stderr: string } {
    const here = script({ apply: text, remove: text }).replaceAll(
      /(\/usr\/local\/bin|\/etc\/rancher|\/var\/lib\/(rancher|groundwork)|\/run\/groundwork)/g,
      `${this.root}$1`,
    );
    const env = { PATH: `${this.bin}:/usr/bin:/bin`, HOME: this.root };
    const done = spawnSync("bash", ["-s", "--", verb], { input: here, encoding: "utf8", env });
    return { code: done.status ?? 1, stdout: done.stdout, stderr: done.stderr };
  }

  close(): void {
    fs.rmSync(this.root, { recursive: true, force: true });
  }
}

describe("who begins a cluster and who joins it", () => {
  let machine: Machine;
  const join = (node: NodePlan, witnesses = {}) =>
    machine.run("apply", `export PATH=/usr/local/bin:$PATH\n${joinScript(three, node, witnesses)}`);
  const file = "etc/rancher/k3s/config.yaml.d/20-join.yaml";
  const answering = (...addresses: string[]) =>
    machine.command(
      "k3s",
      `case "$*" in ${addresses.map((one) => `*${one}:*/cacerts`).join("|") || "none"}) echo BEGIN ;; *) exit 1 ;; esac`,
    );
  beforeEach(() => (machine = new Machine()));
  afterEach(() => machine.close());

  it("begins one where none answers, on the first server only", () => {
    answering();
    assert.equal(join(server).code, 0);
    assert.equal(machine.read(file), "cluster-init: true\n");
  });

  it("joins the others where the first server is a new machine", () => {
    answering("10.9.0.12");
    assert.equal(join(server).code, 0);
    assert.equal(machine.read(file), "server: https://10.9.0.12:6443\n");
  });

  it("begins no second cluster while another machine holds data of the first", () => {
    answering();
    const done = join(server, { "server-2": true, "server-3": false });
    assert.equal(done.code, 1);
    assert.match(done.stderr, /no server answers, but server-2 holds data of this cluster/);
    assert.equal(machine.read(file), "");
  });

  it("leaves a member alone, whoever it once joined", () => {
    answering("10.9.0.12");
    machine.write("var/lib/rancher/k3s/server/db/etcd/member/wal");
    machine.write(file, "server: https://10.9.0.99:6443\n");
    assert.equal(join(second).code, 0);
    assert.equal(machine.read(file), "server: https://10.9.0.99:6443\n");
  });

  it("sends an agent to a server that answers, and leaves it there while it is one", () => {
    answering("10.9.0.11");
    assert.equal(join(agent).code, 0);
    assert.equal(machine.read(file), "server: https://10.9.0.11:6443\n");
    answering("10.9.0.12");
    assert.equal(join(agent).code, 0);
    assert.equal(machine.read(file), "server: https://10.9.0.11:6443\n");
  });

  it("moves an agent on where its server is none any more", () => {
    answering("10.9.0.12");
    machine.write(file, "server: https://10.9.0.99:6443\n");
    assert.equal(join(agent).code, 0);
    assert.equal(machine.read(file), "server: https://10.9.0.12:6443\n");
  });

  it("is told by machines whether they hold data", () => {
    assert.equal(machine.run("apply", witnessScript).stdout, "none\n");
    machine.write("var/lib/rancher/k3s/server/db/etcd/member/wal");
    assert.equal(machine.run("apply", witnessScript).stdout, "member\n");
  });
});

describe("a node's pods", () => {
  let machine: Machine;
  const drain = (text: string) => machine.run("apply", `kubectl=kubectl\n${drainFunctions}\n${text}`);
  /** A kubectl that has these pods, and takes those that are evicted away unless their name says that they are held. */
  const pods = (...lines: string[]) => {
    machine.write("pods", lines.map((line) => `${line}\n`).join(""));
    machine.command(
      "kubectl",
      `echo "$*" >> $M/asked
case "$*" in
  'get pods'*) cat $M/pods ;;
  *held/eviction*) echo 'Error from server (TooManyRequests): Cannot evict pod as it would violate the disruption budget.' >&2; exit 1 ;;
  *eviction*) name=$(sed 's#.*/pods/\\(.*\\)/eviction.*#\\1#' <<< "$*"); sed -i "/ $name /d" $M/pods ;;
  'get node'*unschedulable*) cat $M/cordoned 2> /dev/null ;;
  'get node'*annotations*) cat $M/reason 2> /dev/null ;;
  'get node'*Ready*) cat $M/ready 2> /dev/null || printf True ;;
  'annotate node'*) echo ours > $M/reason ;;
  'patch node'*true*) echo true > $M/cordoned ;;
  'patch node'*null*) rm -f $M/cordoned $M/reason ;;
esac`,
    );
  };
  beforeEach(() => (machine = new Machine()));
  afterEach(() => machine.close());

  it("are evicted until none is left", () => {
    pods("web web-1 ReplicaSet here", "data db-1 Cluster here");
    const done = drain("drain server-1 20 && echo empty");
    assert.equal(done.stdout, "empty\n", done.stderr);
    assert.equal(machine.read("pods"), "");
  });

  it("stay where a disruption budget says so, and are named when the time is over", () => {
    pods("web web-1 ReplicaSet here", "web web-held ReplicaSet here");
    const done = drain("drain server-1 1");
    assert.equal(done.code, 1);
    assert.match(done.stderr, /after 1 s these pods are still on server-1: web\/web-held \(Cannot evict pod/);
  });

  it("are not waited for on a machine that the cluster has lost: one that died a moment ago is still called Ready", () => {
    pods("web web-1 ReplicaSet leaving", "data db-held Cluster here");
    machine.write("ready", "Unknown");
    const done = drain("drain agent-1 300 && echo over");
    assert.equal(done.stdout, "agent-1 does not answer: its pods are not waited for\nover\n", done.stderr);
    pods("web web-1 ReplicaSet leaving");
    for (const status of ["True", "False"]) {
      machine.write("ready", status);
      assert.equal(drain("drain agent-1 1").code, 1, status);
    }
  });

  it("are not lost where nothing would make them anew", () => {
    pods("lab shell none here");
    const done = drain("drain server-1 5");
    assert.equal(done.code, 1);
    assert.match(done.stderr, /pod lab\/shell has no controller and would be lost/);
    assert.doesNotMatch(machine.read("asked"), /eviction/);
  });

  it("are waited for, and not evicted, where they empty a volume's folder", () => {
    pods("kube-system helper-pod-delete-pvc-1 none here");
    const done = drain("drain server-1 1");
    assert.equal(done.code, 1);
    assert.match(done.stderr, /after 1 s these pods are still on server-1: kube-system\/helper-pod-delete-pvc-1/);
    assert.doesNotMatch(machine.read("asked"), /eviction/);
  });

  it("get their node back, unless a person had cordoned it", () => {
    pods();
    drain("cordon server-1 upgrade");
    assert.equal(machine.read("cordoned"), "true\n");
    drain("uncordon server-1");
    assert.equal(machine.read("cordoned"), "");
    machine.write("cordoned", "true\n");
    drain("cordon server-1 upgrade; uncordon server-1");
    assert.equal(machine.read("cordoned"), "true\n");
  });
});

describe("taking a node out of the cluster", () => {
  let machine: Machine;
  const servers = (...lines: string[]) => {
    machine.write("etc/rancher/k3s/k3s.yaml");
    machine.write("servers", lines.map((line) => `${line}\n`).join(""));
    machine.command(
      "k3s",
      `echo "$*" >> $M/asked
case "$*" in
  *readyz*) ;;
  *'get nodes'*) cat $M/servers ;;
  *'get node '*ignore-not-found*) cat $M/there 2> /dev/null ;;
  *'get node '*) ;;
esac`,
    );
  };
  beforeEach(() => (machine = new Machine()));
  afterEach(() => machine.close());

  it("is refused where the servers that are left would have no majority", () => {
    servers("server-1 10.9.0.10 True", "server-2 10.9.0.11 True", "server-3 10.9.0.12 False");
    machine.write("there", "server-1 True");
    const done = machine.run("remove", departureScript(three, server));
    assert.equal(done.code, 1);
    assert.match(done.stderr, /without server-1 only 1 of the 2 other servers would answer/);
    assert.doesNotMatch(machine.read("asked"), /delete node/);
  });

  it("lets a dead server go while the others answer, without asking its pods", () => {
    servers("server-1 10.9.0.10 Unknown", "server-2 10.9.0.11 True", "server-3 10.9.0.12 True");
    machine.write("there", "server-1 Unknown");
    const done = machine.run("remove", departureScript(three, server));
    assert.equal(done.code, 0, done.stderr);
    assert.match(machine.read("asked"), /delete node server-1/);
    assert.match(machine.read("asked"), /delete secret --namespace kube-system server-1\.node-password\.k3s/);
    assert.doesNotMatch(machine.read("asked"), /get pods/);
  });

  it("drains a node that is well before it goes", () => {
    servers("server-1 10.9.0.10 True");
    machine.write("there", "agent-1 True");
    assert.equal(machine.run("remove", departureScript(three, agent)).code, 0);
    const asked = machine.read("asked");
    assert.ok(asked.indexOf("get pods") > 0 && asked.indexOf("get pods") < asked.indexOf("delete node agent-1"));
  });

  it("does nothing where no cluster is, and with the last server", () => {
    machine.command("k3s", "echo $* >> $M/asked");
    assert.equal(machine.run("remove", departureScript(three, agent)).code, 0);
    machine.write("etc/rancher/k3s/k3s.yaml");
    assert.equal(machine.run("remove", departureScript(plan(server), server)).code, 0);
    assert.equal(machine.read("asked"), "");
  });
});

describe("the gate before an upgrade", () => {
  let machine: Machine;
  const cluster = (
    running: string,
    snapshot = "head -c 40000 /dev/zero > $M/var/lib/rancher/k3s/server/db/snapshots/$name-node-1",
    recorded = "",
  ) => {
    machine.write("etc/rancher/k3s/k3s.yaml");
    machine.command(
      "k3s",
      `echo "$*" >> $M/asked
case "$*" in
  *'get nodes'*) printf '${running}' ;;
  *'get namespace kube-system'*) printf '${recorded}' ;;
  'etcd-snapshot save --name '*) name=$4; ${snapshot} ;;
esac`,
    );
  };
  beforeEach(() => (machine = new Machine()));
  afterEach(() => machine.close());

  it("does nothing where there is no cluster yet, or nothing to do", () => {
    assert.equal(machine.run("apply", gateScript("v1.36.4+k3s1")).stdout, "no cluster yet\n");
    cluster("v1.36.4+k3s1\\n");
    assert.equal(machine.run("apply", gateScript("v1.36.4+k3s1")).stdout, "v1.36.4+k3s1 runs\n");
    assert.doesNotMatch(machine.read("asked"), /etcd-snapshot/);
  });

  it("saves etcd, and says as what", () => {
    cluster("v1.36.3+k3s1\\n");
    const done = machine.run("apply", gateScript("v1.36.4+k3s1"));
    assert.equal(done.stdout, "v1.36.3+k3s1 to v1.36.4+k3s1, etcd saved as before-v1.36.4-k3s1-node-1\n", done.stderr);
  });

  it("refuses what would skip a minor version on any node, and saves nothing", () => {
    cluster("v1.36.3+k3s1\\nv1.35.2+k3s1\\n");
    const done = machine.run("apply", gateScript("v1.37.0+k3s1"));
    assert.equal(done.code, 1);
    assert.match(done.stderr, /the cluster runs v1\.35\.2\+k3s1, and Kubernetes skips no minor version/);
    assert.doesNotMatch(machine.read("asked"), /etcd-snapshot/);
  });

  it("stays shut where the snapshot is missing or empty, and where the backup fails", () => {
    cluster("v1.36.3+k3s1\\n", "true");
    assert.match(
      machine.run("apply", gateScript("v1.36.4+k3s1")).stderr,
      /left no snapshot .*, so nothing is upgraded/,
    );
    cluster("v1.36.3+k3s1\\n", "echo broken >&2; exit 1");
    assert.match(
      machine.run("apply", gateScript("v1.36.4+k3s1")).stderr,
      /etcd can't be saved, so nothing is upgraded: broken/,
    );
    cluster("v1.36.3+k3s1\\n");
    const done = machine.run("apply", gateScript("v1.36.4+k3s1", { backupCommand: "echo 'no room' && false" }));
    assert.match(done.stderr, /backupCommand failed, so nothing is upgraded: no room/);
  });

  const noteOf = (target: string, age: number) => `20261121T080000Z ${Math.floor(Date.now() / 1000) - age} ${target}`;
  const gate = (backup: GateSettings["backup"], running: string, recorded = "") => {
    cluster(running, undefined, recorded);
    return machine.run("apply", gateScript("v1.36.4+k3s1", { backup }));
  };

  it("asks for a backup of the data where the settings require one, and saves nothing before it has it", () => {
    for (const recorded of ["", noteOf("v1.36.5+k3s1", 60), noteOf("v1.36.4+k3s1", backupAge + 60)]) {
      const done = gate("required", "v1.36.3+k3s1\\n", recorded);
      assert.equal(done.code, 1, recorded);
      assert.match(
        done.stderr,
        /cluster\.upgrade\.backup is required: nothing is upgraded\. npm run upgrade takes one/,
      );
      assert.doesNotMatch(machine.read("asked"), /etcd-snapshot/);
    }
    for (const recorded of [noteOf("v1.36.4+k3s1", 60), noteOf("packages-2026-11-21 v1.36.4+k3s1", 60)]) {
      const done = gate("required", "v1.36.3+k3s1\\n", recorded);
      assert.equal(done.code, 0, done.stderr);
      assert.match(done.stdout, /^backup 20261121T080000Z was taken before\n.* etcd saved as/);
    }
  });

  it("asks for none once the upgrade was begun, or where the settings want none", () => {
    assert.equal(gate("required", "v1.36.3+k3s1\\nv1.36.4+k3s1\\n").code, 0);
    assert.equal(gate("required", "v1.36.4+k3s1\\n").code, 0);
    const off = gate("none", "v1.36.3+k3s1\\n");
    assert.deepEqual([off.code, off.stderr], [0, ""]);
  });

  it("says that there is none where one is only wanted, and goes on", () => {
    const done = gate("wanted", "v1.36.3+k3s1\\n");
    assert.equal(done.code, 0);
    assert.match(done.stderr, /no backup of the data was taken before this upgrade/);
    assert.match(done.stdout, /etcd saved as/);
  });

  it("stands before packages of a day as well", () => {
    const packages = (patched: string, recorded = "") => {
      cluster(patched, undefined, recorded);
      return machine.run("apply", patchGateScript("2026-11-21", { backup: "required" }));
    };
    assert.match(packages("day \\nday 2026-10-01 31 1795239697\\n").stderr, /nothing is upgraded/);
    assert.equal(packages("day \\n", noteOf("v1.36.4+k3s1", 60)).code, 1);
    assert.equal(packages("day \\n", noteOf("packages-2026-11-21", 60)).code, 0);
    assert.equal(packages("day \\nday 2026-11-21 31 1795239697\\n").code, 0, "one node has them: it was begun");
  });
});

describe("scripts of a node's life", () => {
  const shell = (text: string) => {
    const done = spawnSync("bash", ["-n"], { input: script({ apply: text, remove: text }), encoding: "utf8" });
    assert.equal(done.status, 0, done.stderr);
  };

  it("are sound shell", () => {
    for (const all of [three, plan(server), { ...three, upgrade: { ...three.upgrade, drain: false } }]) {
      for (const node of all.nodes) {
        for (const text of [installScript(all, node, tokens, k3s, { "server-2": true }), departureScript(all, node)])
          shell(text);
        for (const text of [
          patchScript(all, node, "2026-11-21"),
          returnScript(all, node, "x restarts abc 2026-11-21 1795239697"),
          returnScript(all, node, "x is patched"),
        ])
          shell(text);
      }
    }
    shell(upgradeScript(three, agent, k3s));
    shell(patchGateScript("2026-11-21", { backup: "wanted" }));
    shell(gateScript("v1.36.4+k3s1", { backup: "required", backupCommand: "it's a 'backup'" }));
  });

  it("move pods away only where there is another node, and never against a setting", () => {
    assert.match(upgradeScript(three, agent, k3s), /if ! drain agent-1 300/);
    assert.doesNotMatch(installScript(plan(server), server, tokens, k3s), /if ! drain/);
    const still = { ...three, upgrade: { ...three.upgrade, drain: false } };
    assert.doesNotMatch(upgradeScript(still, agent, k3s), /if ! drain/);
  });

  it("restart a machine only where a server sees it come back", () => {
    const one = plan(server, agent);
    assert.match(patchScript(one, agent, "2026-11-21"), /systemctl reboot/);
    for (const [all, node] of [
      [one, server],
      [plan(server), server],
    ] as const) {
      assert.doesNotMatch(patchScript(all, node, "2026-11-21"), /systemctl reboot/);
      assert.match(
        patchScript(all, node, "2026-11-21"),
        /no other server to see it come back from: restart it by hand/,
      );
    }
    assert.match(patchScript(three, server, "2026-11-21"), /systemctl reboot/);
  });

  it("note the packages of a machine that was restarted, too", () => {
    const back = returnScript(three, second, "server-2 restarts abc 2026-11-21 1795239697");
    assert.match(back, /note server-2 "groundwork\/last-patches=2026-11-21 \$\(\(\$\(date \+%s\) - 1795239697\)\)/);
    assert.doesNotMatch(returnScript(three, second, "server-2 is patched"), /note /);
  });

  it("put the binary of an agent that runs in place only when it is its turn", () => {
    assert.doesNotMatch(installScript(three, agent, tokens, k3s), /roll\(\)/);
    assert.match(upgradeScript(three, agent, k3s), /roll '\/artifacts\/k3s'/);
  });

  it("hold no token but the node's own", () => {
    for (const text of [
      upgradeScript(three, agent, k3s),
      departureScript(three, agent),
      patchScript(three, agent, "2026-11-21"),
    ]) {
      assert.doesNotMatch(text, /canary/);
    }
  });
});
