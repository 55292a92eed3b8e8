import * as assert from "node:assert/strict";
import { ChildProcess, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { openArtifacts } from "../../artifacts";
import { eventually } from "../support/https";
import { leftBehind, MachineSnapshot, snapshot } from "../support/machine";

const root = path.resolve(__dirname, "..", "..");
const tool = path.join(root, "components", "host", "nspawn", "tool.cjs");
const stack = "e2e-hosts";

interface Ready {
  name: string;
  address: string;
  hostKey: string;
}
interface Listed {
  id: string;
  running: boolean;
  pid?: number;
}

/** Machines by the machine tool alone, without the engine: made, broken, repaired and taken away. */
describe("machines on this computer", function () {
  this.timeout(5 * 60_000);
  this.bail(true);

  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-hosts-"));
  const env = { ...process.env, GROUNDWORK_STATE_DIR: path.join(folder, "state") };
  const key = path.join(folder, "key");
  let untouched: MachineSnapshot;
  let kernel: string;
  let one: Ready;

  const kernelSettings = () =>
    [
      "vm/overcommit_memory",
      "kernel/panic",
      "kernel/panic_on_oops",
      "net/ipv4/ip_forward",
      "fs/inotify/max_user_instances",
    ]
      .map((name) => `${name}=${fs.readFileSync(`/proc/sys/${name}`, "utf8").trim()}`)
      .join(" ");
  const environment = (name: string, address: string) => {
    const rootfs = openArtifacts().file("rootfs");
    const spec = {
      ...{ stack, name, address, prefix: 24, gateway: "10.45.0.1", bridge: "gwe2e1" },
      ...{ publicKey: fs.readFileSync(`${key}.pub`, "utf8"), rootfs: rootfs.path, rootfsDigest: rootfs.sha256 },
      memory: 2 ** 30,
    };
    return { ...env, GROUNDWORK_MACHINE: JSON.stringify(spec) };
  };
  const run = (args: string[], environmentOf: NodeJS.ProcessEnv = env) =>
    spawnSync(process.execPath, [tool, ...args], { env: environmentOf, encoding: "utf8" });
  const ensure = (name: string, address: string): Ready => {
    const done = run(["ensure"], environment(name, address));
    assert.equal(done.status, 0, done.stderr);
    return JSON.parse(done.stdout) as Ready;
  };
  const inside = (name: string, ...command: string[]) =>
    run(["exec", "--stack", stack, name, "--", ...command]).stdout.trim();
  const machines = () => JSON.parse(run(["ls", "--stack", stack, "--json"]).stdout) as Listed[];
  const ssh = (machine: Ready, identity: string, command: string, options: string[] = []) => {
    const known = path.join(folder, "known_hosts");
    fs.writeFileSync(known, `${machine.address} ${machine.hostKey}\n`);
    const fixed = [
      "StrictHostKeyChecking=yes",
      `UserKnownHostsFile=${known}`,
      "IdentitiesOnly=yes",
      "NumberOfPasswordPrompts=0",
    ];
    const all = [...fixed, ...options].flatMap((option) => ["-o", option]);
    return spawnSync("ssh", ["-F", "/dev/null", "-i", identity, ...all, `root@${machine.address}`, command], {
      encoding: "utf8",
    });
  };

  before("a key pair, and how this computer was", () => {
    untouched = snapshot();
    kernel = kernelSettings();
    for (const file of [key, `${key}-other`]) spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
  });

  after("no machine stays, whatever happened", () => {
    for (const { id } of machines()) run(["delete", id]);
    fs.rmSync(folder, { recursive: true, force: true });
  });

  it("come up with an SSH server that shows the reported host key and knows the name", () => {
    one = ensure("one", "10.45.0.10");
    const done = ssh(one, key, "hostname; systemctl is-system-running --wait");
    assert.equal(done.stdout, "one\nrunning\n", done.stderr);
  });

  it("refuse passwords and other keys", () => {
    const password = ssh(one, key, "true", [
      "PreferredAuthentications=password,keyboard-interactive",
      "PubkeyAuthentication=no",
    ]);
    assert.match(password.stderr, /Permission denied \(publickey\)/);
    const other = ssh(one, `${key}-other`, "true");
    assert.match(other.stderr, /Permission denied \(publickey\)/);
  });

  it("are left alone by a second make", () => {
    const pid = machines()[0]!.pid;
    assert.deepEqual(ensure("one", "10.45.0.10"), one);
    assert.equal(machines()[0]!.pid, pid);
  });

  it("have the kernel settings that a kubelet demands", () => {
    assert.equal(
      inside("one", "sysctl", "-n", "vm.overcommit_memory", "kernel.panic", "kernel.panic_on_oops"),
      "1\n10\n1",
    );
  });

  it("can mount, and hold containers' layers", () => {
    const script =
      "cd /var/lib/rancher && mkdir -p l u w m && mount -t overlay -o lowerdir=l,upperdir=u,workdir=w o m && umount m && echo mounted";
    assert.equal(inside("one", "sh", "-c", script), "mounted");
  });

  it("see the artefact cache, and can't write to it", () => {
    assert.match(
      inside("one", "sh", "-c", "touch /var/lib/groundwork/artifacts/x 2>&1; ls /var/lib/groundwork/artifacts"),
      /Read-only file system[^]*entries/,
    );
  });

  it("reach each other", () => {
    const two = ensure("two", "10.45.0.11");
    assert.match(inside("one", "bash", "-c", `head -c 4 < /dev/tcp/${two.address}/22`), /^SSH-/);
  });

  it("come back after a power cut with their address, their key and their files", () => {
    inside("one", "sh", "-c", "echo kept > /root/kept; sync");
    assert.equal(run(["kill", `${stack}/one`]).status, 0);
    assert.equal(machines().find(({ id }) => id === `${stack}/one`)!.running, false);
    assert.equal(run(["ensure", "--stack", stack]).status, 0);
    assert.equal(ssh(one, key, "cat /root/kept").stdout, "kept\n");
  });

  it("come back by themselves from a restart that is asked for inside", async () => {
    const boot = () => inside("one", "cat", "/proc/sys/kernel/random/boot_id");
    const [before, of] = [boot(), machines().find(({ id }) => id === `${stack}/one`)!.pid];
    assert.match(before, /^[0-9a-f-]{36}$/);
    inside("one", "systemctl", "reboot", "--no-block");
    await eventually(60, async () => {
      assert.match(boot(), /^[0-9a-f-]{36}$/);
      assert.notEqual(boot(), before);
      assert.equal(ssh(one, key, "cat /root/kept").stdout, "kept\n");
    });
    const now = machines().find(({ id }) => id === `${stack}/one`)!;
    assert.ok(now.running && now.pid !== of);
    assert.match(inside("one", "bash", "-c", "head -c 4 < /dev/tcp/10.45.0.11/22"), /^SSH-/);
  });

  it("are made whole by the next make, wherever the one before was killed", async () => {
    for (let kill = 0; kill < 5; kill++) {
      const made: ChildProcess = spawn(process.execPath, [tool, "ensure"], {
        env: environment("three", "10.45.0.12"),
        stdio: "ignore",
      });
      const ended = new Promise((resolve) => made.on("close", resolve));
      await new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 1500));
      made.kill("SIGKILL");
      await ended;
    }
    const three = ensure("three", "10.45.0.12");
    assert.equal(ssh(three, key, "hostname").stdout, "three\n");
  });

  it("tell what is wrong when a foreign link has the bridge's name", () => {
    spawnSync("ip", ["link", "add", "gwe2e2", "type", "bridge"]);
    spawnSync("ip", ["addr", "add", "10.45.9.1/24", "dev", "gwe2e2"]);
    try {
      const spec = {
        ...(JSON.parse(environment("four", "10.45.9.10").GROUNDWORK_MACHINE) as object),
        bridge: "gwe2e2",
        gateway: "10.45.9.1",
      };
      const done = run(["ensure"], { ...env, GROUNDWORK_MACHINE: JSON.stringify(spec) });
      assert.equal(done.status, 1);
      assert.equal(done.stderr, "the link gwe2e2 exists and is not ours: choose another target.network.bridge\n");
      assert.equal(run(["delete", `${stack}/four`]).status, 0);
      assert.ok(fs.existsSync("/sys/class/net/gwe2e2"), "a foreign bridge is not ours to delete");
    } finally {
      spawnSync("ip", ["link", "del", "gwe2e2"]);
    }
  });

  it("leave nothing behind", () => {
    const others = Number(
      spawnSync("sh", ["-c", "ps -eo args= | grep -c '^systemd-nspawn .*--machine gw-'"], { encoding: "utf8" }).stdout,
    );
    const own = machines().filter(({ running }) => running).length;
    for (const { id } of machines()) {
      const done = run(["delete", id]);
      assert.equal(done.status, 0, done.stderr);
    }
    assert.deepEqual(leftBehind(untouched, snapshot(), new RegExp(stack)), {});
    assert.ok(!fs.existsSync(path.join(folder, "state", "machines")));
    // What machines of other stacks still need of the kernel stays with them.
    if (others === own) assert.equal(kernelSettings(), kernel);
  });
});
