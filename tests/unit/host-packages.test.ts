import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { packagesFunction, switchFunctions } from "../../components/host/packages";
import { script } from "../../components/host/remote-script";
import { questions } from "../../components/host/ssh/check";

/** The shell functions with test doubles of dpkg-query, apt-get and systemctl, which keep what they are told in files. */
describe("what a machine is given and gets taken back", () => {
  let folder: string;
  const file = (name: string) => path.join(folder, name);
  const read = (name: string) => (fs.existsSync(file(name)) ? fs.readFileSync(file(name), "utf8") : "");

  const double = (name: string, text: string) =>
    fs.writeFileSync(file(`bin/${name}`), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  const run = (functions: string, commands: string) => {
    // The record lies in the test's folder instead of the machine's /etc.
    const own = functions.replaceAll("/etc/groundwork", file("etc")).replaceAll("/var/lib/", `${folder}/var/`);
    return spawnSync("bash", ["-s", "--", "apply"], {
      input: script({ apply: `${own}\n${commands}`, remove: "" }),
      env: { PATH: `${file("bin")}:/usr/bin:/bin` },
      encoding: "utf8",
    });
  };

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-packages-"));
    fs.mkdirSync(file("bin"));
    double("dpkg-query", `grep -qx "$4" ${file("installed")} 2> /dev/null && printf installed`);
    double(
      "systemctl",
      `echo "$*" >> ${file("told")}; [ "$1" != is-enabled ] || grep -qx "$3" ${file("on")} 2> /dev/null`,
    );
  });
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  it("asks for no package that is there", () => {
    fs.writeFileSync(file("installed"), "nftables\nfail2ban\n");
    double("apt-get", `echo called >> ${file("apt")}`);
    assert.equal(run(packagesFunction, "packages nftables fail2ban").status, 0);
    assert.equal(read("apt"), "");
  });

  it("gets those that are missing, and reads the lists anew once when they are old", () => {
    double(
      "apt-get",
      `echo "$*" | sed 's/.*Timeout=300 //' >> ${file("apt")}; [ -e ${file("lists")} ] || { case "$*" in *update*) touch ${file("lists")} ;; *) exit 100 ;; esac; }`,
    );
    const done = run(packagesFunction, "packages nftables fail2ban\necho on");
    assert.equal(done.stdout, "on\n", done.stderr);
    assert.equal(read("apt"), "install nftables fail2ban\nupdate\ninstall nftables fail2ban\n");
  });

  it("says which packages it can't get, and goes no further", () => {
    double("apt-get", "exit 100");
    const done = run(packagesFunction, "packages fail2ban\necho on");
    assert.deepEqual([done.status, done.stdout], [1, ""]);
    assert.match(
      done.stderr,
      /these packages are missing and apt-get can't get them: fail2ban\. Where the driver is nspawn/,
    );
  });

  it("switches off what it switched on, and nothing that was on before", () => {
    fs.writeFileSync(file("on"), "apt-daily.timer\n");
    assert.equal(run(switchFunctions, "switch_on apt-daily.timer fail2ban.service chrony.service").status, 0);
    assert.equal(read("etc/switched-on"), "fail2ban.service\nchrony.service\n");
    fs.rmSync(file("told"));
    assert.equal(run(switchFunctions, "switch_off apt-daily.timer chrony.service").status, 0);
    assert.equal(read("told"), "disable --quiet --now chrony.service\n");
    assert.equal(run(switchFunctions, "switch_off\necho on").stdout, "on\n");
    assert.match(read("told"), /disable --quiet --now fail2ban\.service\n$/);
    assert.ok(!fs.existsSync(file("etc/switched-on")));
  });

  it("has nothing to switch off on a machine that was not hardened", () => {
    assert.equal(run(switchFunctions, "switch_off\nswitch_off fail2ban.service\necho on").stdout, "on\n");
    assert.equal(read("told"), "");
  });

  it("is asked for before anything is changed: a package that apt can't get", () => {
    fs.writeFileSync(file("installed"), "nftables\n");
    double("apt-get", "exit 1");
    double("apt-cache", `case "$2" in fail2ban) echo "  Candidate: 1.0.2-2" ;; *) echo "  Candidate: (none)" ;; esac`);
    const done = spawnSync("sh", ["-s"], {
      input: questions(["nftables", "fail2ban", "unattended-upgrades"]),
      env: { PATH: `${file("bin")}:/usr/bin:/bin` },
      encoding: "utf8",
    });
    assert.deepEqual(
      done.stdout.split("\n").filter((line) => /package/.test(line)),
      [
        "the package unattended-upgrades is missing and apt knows no source of it: run apt-get update there, or install it",
      ],
    );
  });
});
