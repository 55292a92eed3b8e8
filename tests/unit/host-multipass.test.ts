import * as assert from "node:assert/strict";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { parse } from "yaml";
import { ensure, remove } from "../../components/host/multipass/instance";
import { InstanceSpec, launchArgs, userData } from "../../components/host/multipass/plan";
import { multipassProblems } from "../../components/host/multipass/preflight";
import type { MultipassSettings } from "../../components/host/multipass/settings";
import { MachineError } from "../../components/host/nspawn/process";
import { targetSchema } from "../../components/host/settings";

const root = path.resolve(__dirname, "../..");
const spec: InstanceSpec = {
  ...{ stack: "dev", name: "server-1", image: "24.04", cpus: 2, memory: "4Gi", disk: "20Gi" },
  publicKey: "ssh-ed25519 AAAA x\n",
};
const name = "groundwork-dev-server-1";

describe("an instance of Multipass", () => {
  it("is launched by documented options, its user data by standard input", () => {
    assert.equal(
      launchArgs(spec).join(" "),
      `launch 24.04 --name ${name} --cpus 2 --memory 4G --disk 20G --cloud-init - --timeout 900`,
    );
  });

  it("has root's key and keeps Multipass's own user", () => {
    const data = userData(spec);
    assert.match(data, /^#cloud-config\n/);
    assert.deepEqual(parse(data), {
      hostname: "server-1",
      preserve_hostname: false,
      disable_root: false,
      users: ["default", { name: "root", ssh_authorized_keys: ["ssh-ed25519 AAAA x"] }],
    });
  });
});

describe("the instance tool, against a stand-in of the multipass command", function () {
  this.timeout(60_000);
  let folder: string;
  let ssh: net.Server;
  let former: NodeJS.ProcessEnv;

  interface Instance {
    state: string;
    userData: string;
    memory: string;
  }
  const state = () =>
    JSON.parse(fs.readFileSync(path.join(folder, "state.json"), "utf8")) as {
      instances: Record<string, Instance>;
      calls: string[];
    };
  const change = (edit: (instances: Record<string, Partial<Instance>>) => void) => {
    const now = state();
    edit(now.instances);
    fs.writeFileSync(path.join(folder, "state.json"), JSON.stringify({ ...now, calls: [] }));
  };
  /** Runs with more environment; what fails gives its one message. */
  const attempt = async (work: () => unknown, more: NodeJS.ProcessEnv = {}): Promise<string> => {
    Object.assign(process.env, more);
    try {
      await work();
      return "";
    } catch (error) {
      assert.ok(error instanceof MachineError, String(error));
      return error.message;
    } finally {
      for (const key of Object.keys(more)) delete process.env[key];
    }
  };
  const tool = (...args: string[]) =>
    new Promise<string>((resolve) => {
      const child = spawn(process.execPath, [path.join(root, "components/host/multipass/tool.cjs"), ...args]);
      let stdout = "";
      child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
      child.on("close", () => resolve(stdout));
    });

  before("the stand-in on the path, and something that greets as sshd does", async function () {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-multipass-"));
    fs.mkdirSync(path.join(folder, "bin"));
    fs.symlinkSync(path.join(root, "tests/support/multipass.cjs"), path.join(folder, "bin", "multipass"));
    // Port 22 of an address of loopback that nothing else has.
    const address = "127.0.61.7";
    ssh = net.createServer((socket) => socket.end("SSH-2.0-stand-in\r\n"));
    const listening = new Promise<void>((resolve, reject) => ssh.once("error", reject).listen(22, address, resolve));
    // Neither every user may have that port, nor has every system that address.
    await listening.catch(() => this.skip());
    former = { ...process.env };
    Object.assign(process.env, {
      PATH: `${folder}/bin:${process.env["PATH"]}`,
      GROUNDWORK_STATE_DIR: path.join(folder, "groundwork"),
      MULTIPASS_STATE: path.join(folder, "state.json"),
      MULTIPASS_ADDRESS: address,
    });
  });
  after(() => {
    process.env = former;
    ssh.close();
    fs.rmSync(folder, { recursive: true });
  });

  const ready = { name: "server-1", address: "127.0.61.7", hostKey: "ssh-ed25519 AAAAkey" };

  it("launches what is not there, once", async () => {
    assert.deepEqual(await ensure(spec), ready);
    assert.deepEqual(await ensure(spec), ready);
    const { instances, calls } = state();
    assert.equal(calls.filter((call) => call.startsWith("launch ")).length, 1);
    assert.match(instances[name]!.userData, /ssh-ed25519 AAAA x/);
    assert.doesNotMatch(JSON.stringify(state()), /PRIVATE KEY/);
  });

  for (const dead of ["Stopped", "Suspended", "Deleted"]) {
    it(`brings back one that is ${dead.toLowerCase()}`, async () => {
      change((instances) => (instances[name]!.state = dead));
      assert.deepEqual(await ensure(spec), ready);
      assert.equal(state().instances[name]!.state, "Running");
      assert.ok(
        state().calls.every((call) => !/^(launch|delete)/.test(call)),
        state().calls.join("\n"),
      );
    });
  }

  it("starts all of a stack, and lists them", async () => {
    change((instances) => (instances[name]!.state = "Stopped"));
    assert.deepEqual(JSON.parse(await tool("ensure", "--stack", "dev")), [ready]);
    assert.equal(await tool("ls"), "dev/server-1  127.0.61.7  running\n");
  });

  it("refuses what can't be changed of an instance", async () => {
    const message = await attempt(() => ensure({ ...spec, image: "22.04" }));
    assert.match(message, /another image or key.*tool\.cjs delete dev\/server-1"$/);
  });

  it("tells why Multipass does not answer, in one line", async () => {
    const message = await attempt(() => ensure(spec), { MULTIPASS_FAIL: "list" });
    assert.equal(message, "multipass list --format json: list failed: cannot connect to the multipass socket");
  });

  it("touches no instance that it has not made", async () => {
    change((instances) => (instances["groundwork-dev-agent-1"] = { state: "Running" }));
    const agent = { ...spec, name: "agent-1" };
    assert.match(
      await attempt(() => ensure(agent)),
      /groundwork-dev-agent-1 exists and is not of this state directory/,
    );
    remove(agent);
    assert.deepEqual(Object.keys(state().instances).sort(), ["groundwork-dev-agent-1", name]);
  });

  it("takes its own away with the disk, and can do so twice", () => {
    for (let times = 0; times < 2; times++) remove(spec);
    assert.deepEqual(Object.keys(state().instances), ["groundwork-dev-agent-1"]);
    assert.ok(state().calls.includes(`delete --purge ${name}`));
    assert.equal(fs.existsSync(path.join(folder, "groundwork", "multipass")), false);
  });

  it("makes one that half a run left without an instance", async () => {
    const message = await attempt(() => ensure(spec), { MULTIPASS_FAIL: "launch" });
    assert.match(message, /^multipass launch groundwork-dev-server-1: launch failed: /);
    assert.deepEqual(await ensure(spec), ready);
  });
});

describe("preflight of a multipass target", () => {
  const settings = targetSchema.parse({ driver: "multipass", agents: 1 }) as MultipassSettings;
  const fine = { memory: 16 * 2 ** 30, strangers: [] };

  it("has nothing to say of a computer that will do", () => assert.deepEqual(multipassProblems(settings, fine), []));

  it("tells what is in the way", () => {
    const one = (change: object) => multipassProblems(settings, { ...fine, ...change }).join("\n");
    assert.match(one({ silent: "no socket" }), /^Multipass does not answer: no socket; start it/);
    assert.match(one({ memory: 6 * 2 ** 30 }), /^2 machine\(s\) of 4Gi need more than the 6\.0 GiB of memory/);
    assert.match(one({ strangers: ["x"] }), /^the instance x exists and is not of this state directory/);
  });
});
