import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { openArtifacts } from "../../artifacts";
import { baselineRemoval, baselineScript, BaselinePlan } from "../../components/host/baseline";
import { script } from "../../components/host/remote-script";
import { targetSchema } from "../../components/host/settings";
import type { OnMachine } from "../support/cis";
import { Guesser } from "../support/guesser";
import { hostFindings } from "../support/host-security";
import { leftBehind, MachineSnapshot, snapshot } from "../support/machine";

const tool = path.resolve(__dirname, "..", "..", "components", "host", "nspawn", "tool.cjs");
const stack = "e2e-hardening";
const bridge = "gwe2e6";
const [gateway, address] = ["10.49.0.1", "10.49.0.10"];
/** Attempts until an address is banned: few, so that the test is short. */
const maxRetry = 3;

/** One machine with the whole hardening, by the scripts that the graph runs, and a stranger beside it on its bridge. */
describe("a hardened machine", function () {
  this.timeout(3 * 60_000);
  this.bail(true);

  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-hardening-"));
  const env = { ...process.env, GROUNDWORK_STATE_DIR: path.join(folder, "state") };
  const key = path.join(folder, "key");
  const { hardening } = targetSchema.parse({
    driver: "nspawn",
    hardening: { adminNetworks: ["192.0.2.0/24"], fail2ban: { enabled: true, maxRetry }, upgrades: { enabled: true } },
  });
  const plan: BaselinePlan = {
    hardening,
    names: { guarded: address },
    firewall: { machines: [address], adminSources: ["0.0.0.0/0"], ports: [8443], sshPort: 22 },
  };
  let untouched: MachineSnapshot;
  let guesser: Guesser | undefined;

  const run = (args: string[], more: NodeJS.ProcessEnv = {}) =>
    spawnSync(process.execPath, [tool, ...args], { env: { ...env, ...more }, encoding: "utf8" });
  const inside: OnMachine = (...command) => {
    const done = run(["exec", "--stack", stack, "guarded", "--", ...command]);
    return { code: done.status ?? 1, stdout: done.stdout, stderr: done.stderr };
  };
  const ssh = (verb: string, input = "") => {
    const options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes"];
    const args = [
      "-F",
      "/dev/null",
      "-i",
      key,
      ...options.flatMap((option) => ["-o", option]),
      `root@${address}`,
      verb,
    ];
    return spawnSync("ssh", args, { encoding: "utf8", input });
  };
  const baseline = (verb: "apply" | "remove") =>
    ssh(`bash -s -- ${verb}`, script({ apply: baselineScript(plan), remove: baselineRemoval(plan) }));
  const banned = () => /Banned IP list:\s*(.*)/.exec(inside("fail2ban-client", "status", "sshd").stdout)?.[1]?.trim();

  before("a machine", () => {
    untouched = snapshot();
    spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
    const rootfs = openArtifacts().file("rootfs");
    const spec = {
      ...{ stack, name: "guarded", address, prefix: 24, gateway, bridge, memory: 2 ** 30 },
      ...{ publicKey: fs.readFileSync(`${key}.pub`, "utf8"), rootfs: rootfs.path, rootfsDigest: rootfs.sha256 },
    };
    const done = run(["ensure"], { GROUNDWORK_MACHINE: JSON.stringify(spec) });
    assert.equal(done.status, 0, done.stderr);
    guesser = new Guesser(bridge, "10.49.0.66/24");
  });

  after("nothing stays, whatever happened", () => {
    guesser?.remove();
    run(["delete", `${stack}/guarded`]);
    fs.rmSync(folder, { recursive: true, force: true });
  });

  it("gets its hardening, and is left alone by a second run", () => {
    const first = baseline("apply");
    assert.equal(first.stdout, "ready\n", first.stderr);
    const pid = inside("systemctl", "show", "--property=MainPID", "--value", "fail2ban.service").stdout;
    assert.equal(baseline("apply").stdout, "ready\n");
    assert.equal(inside("systemctl", "show", "--property=MainPID", "--value", "fail2ban.service").stdout, pid);
  });

  it("has all of it", () => {
    const neverBanned = [gateway, address, "192.0.2.0/24"];
    assert.deepEqual(hostFindings(inside, { fail2ban: true, upgrades: true, neverBanned }), []);
    assert.equal(inside("systemctl", "is-system-running", "--wait").stdout.trim(), "running");
  });

  it("is found out where something is missing", () => {
    inside("sh", "-c", "echo 0 > /proc/sys/net/ipv4/conf/host0/rp_filter; passwd --delete root");
    const findings = hostFindings(inside, { fail2ban: true, upgrades: true, neverBanned: ["192.0.2.1"] });
    assert.deepEqual(findings, [
      "root's password is not locked (NP)",
      "root has an empty password",
      "net.ipv4.conf.*.rp_filter is 0",
      "fail2ban may ban 192.0.2.1",
    ]);
    assert.equal(baseline("apply").stdout, "ready\n");
    assert.deepEqual(hostFindings(inside, { fail2ban: true, upgrades: true }), []);
  });

  it("shows strangers the listed ports and pods the kubelet, whatever listens on others", () => {
    const listen = [80, 2379, 6443, 8443, 9999, 10250]
      .map((port) => `python3 -m http.server ${port} > /dev/null 2>&1 &`)
      .join(" ");
    inside("sh", "-c", `systemd-run --quiet --unit=listeners --property=Type=forking sh -c '${listen}'; sleep 1`);
    const own = inside(
      "bash",
      "-c",
      `for p in 2379 9999; do timeout 1 bash -c "echo > /dev/tcp/${address}/$p" && echo $p; done`,
    );
    assert.equal(own.stdout, "2379\n9999\n", "they listen");
    const asked = [22, 80, 111, 2379, 6443, 8443, 9999, 10250];
    assert.deepEqual(guesser!.openPorts(address, asked), [22, 80, 6443, 8443]);

    // As flannel has it without a tunnel: pods of another node come by that node's address, and past the reverse path filter.
    inside("ip", "route", "add", "10.42.7.0/24", "via", guesser!.address);
    guesser!.actAs("10.42.7.5", "10.49.0.0/24");
    assert.deepEqual(guesser!.openPorts(address, asked), [22, 80, 6443, 8443, 10250]);
    inside("ip", "route", "delete", "10.42.7.0/24");
    guesser!.actAs(guesser!.address, "10.49.0.0/24");
    inside("systemctl", "stop", "listeners.service");
  });

  it("bans who guesses, and nobody else", () => {
    // A port that was only looked at counts, too, so that the last guess may be one too many already.
    const attempts = Array.from({ length: maxRetry }, () => guesser!.guess(address));
    assert.equal(attempts[0], "refused");
    const deadline = Date.now() + 20_000;
    while (banned() !== guesser!.address && Date.now() < deadline) spawnSync("sleep", ["0.3"]);
    assert.equal(banned(), guesser!.address);
    assert.equal(guesser!.guess(address, 3), "no answer");
    assert.deepEqual(guesser!.openPorts(address, [22, 80, 8443]), []);
    assert.equal(ssh("echo in").stdout, "in\n");
  });

  it("never bans the operator, however often the key is wrong", () => {
    for (let attempt = 0; attempt < maxRetry + 2; attempt++) {
      assert.equal(guesser!.guessAsOperator(address), "refused");
    }
    assert.equal(ssh("echo in").stdout, "in\n");
    assert.equal(banned(), guesser!.address);
  });

  it("remembers a ban and its firewall over a power cut", () => {
    assert.equal(run(["kill", `${stack}/guarded`]).status, 0);
    assert.equal(run(["ensure", "--stack", stack]).status, 0);
    const ready = inside("sh", "-c", "for i in $(seq 50); do fail2ban-client status sshd && break; sleep 0.3; done");
    assert.match(ready.stdout, new RegExp(`Banned IP list:\\s*${guesser!.address.replaceAll(".", "\\.")}`));
    assert.equal(guesser!.guess(address, 3), "no answer");
    assert.deepEqual(hostFindings(inside, { fail2ban: true, upgrades: true }), []);
  });

  it("lets in again whom the runbook forgives", () => {
    assert.equal(inside("fail2ban-client", "set", "sshd", "unbanip", guesser!.address).stdout.trim(), "1");
    assert.equal(guesser!.guess(address), "refused");
  });

  it("gets back what it was", () => {
    const done = baseline("remove");
    assert.equal(done.status, 0, done.stderr);
    const left = inside(
      "sh",
      "-c",
      "ls -d /etc/groundwork /etc/fail2ban/*.d/*groundwork* /etc/apt/apt.conf.d/*groundwork* /etc/ssh/sshd_config.d/*groundwork* 2> /dev/null; nft list tables",
    );
    assert.equal(left.stdout.trim().replace(/table inet f2b-table/, ""), "");
  });

  it("leaves nothing behind", () => {
    guesser!.remove();
    assert.equal(run(["delete", `${stack}/guarded`]).status, 0);
    assert.deepEqual(leftBehind(untouched, snapshot(), new RegExp(stack)), {});
  });
});
