import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import fc from "fast-check";
import {
  baselineFiles,
  BaselinePlan,
  baselinePackages,
  baselineRemoval,
  baselineScript,
} from "../../components/host/baseline";
import { fail2banFiles } from "../../components/host/fail2ban";
import { firewallRules } from "../../components/host/firewall";
import { bytes, overlaps, planMachines, planNetwork } from "../../components/host/nspawn/plan";
import { withLock } from "../../components/host/nspawn/process";
import { seedFiles } from "../../components/host/nspawn/seed";
import { Computer, nspawnProblems, sshProblems } from "../../components/host/preflight";
import { script, writeFiles } from "../../components/host/remote-script";
import { NspawnSettings, SshSettings, targetSchema } from "../../components/host/settings";
import { explain } from "../../components/host/ssh/check";
import { upgradesFiles } from "../../components/host/upgrades";
import { sshdDropIn } from "../../components/host/sshd";

const nspawn = (settings: object = {}) => targetSchema.parse({ driver: "nspawn", ...settings }) as NspawnSettings;
const { hardening } = nspawn();
const on = nspawn({ hardening: { fail2ban: { enabled: true }, upgrades: { enabled: true } } }).hardening;
const plan: BaselinePlan = {
  hardening,
  names: { "server-1": "10.9.0.10", "agent-1": "10.9.0.20" },
  firewall: { machines: ["10.9.0.10", "10.9.0.20"], adminSources: ["192.0.2.0/24"], ports: [8443], sshPort: 2222 },
};

describe("the machines of an nspawn target", () => {
  it("get names and addresses that do not move when machines of the other role come", () => {
    const few = planMachines(nspawn({ servers: 1, agents: 2 }));
    const many = planMachines(nspawn({ servers: 3, agents: 2 }));
    assert.deepEqual(
      few.map(({ name, address }) => [name, address]),
      [
        ["server-1", "10.41.0.10"],
        ["agent-1", "10.41.0.20"],
        ["agent-2", "10.41.0.21"],
      ],
    );
    for (const machine of few) assert.ok(many.some((other) => JSON.stringify(other) === JSON.stringify(machine)));
  });

  it("have addresses of the network, none twice and none this computer's", () => {
    const cidr = fc.tuple(fc.integer({ min: 1, max: 223 }), fc.nat(255), fc.nat(255), fc.integer({ min: 8, max: 24 }));
    fc.assert(
      fc.property(cidr, fc.constantFrom(1, 3, 5, 7), fc.nat(32), ([a, b, c, length], servers, agents) => {
        const network = `${a}.${b}.${c}.0/${length}`;
        const settings = nspawn({ servers, agents, network: { cidr: network } });
        const addresses = planMachines(settings).map(({ address }) => address);
        assert.equal(new Set(addresses).size, servers + agents);
        for (const address of addresses) {
          assert.ok(overlaps(`${address}/32`, network), `${address} in ${network}`);
          assert.notEqual(address, planNetwork(network).gateway);
        }
      }),
    );
  });

  it("have sizes in binary units", () => {
    assert.equal(bytes("512Mi"), 536870912);
    assert.equal(bytes("2Gi"), 2147483648);
  });

  it("find out whether networks overlap", () => {
    assert.ok(overlaps("10.0.0.0/8", "10.41.0.0/24"));
    assert.ok(!overlaps("10.41.0.0/24", "10.41.1.0/24"));
  });
});

describe("the target's settings", () => {
  const issues = (target: object) =>
    targetSchema.safeParse(target).error?.issues.map((issue) => issue.path.join(".")) ?? [];
  const host = { name: "a", address: "192.0.2.1" };

  it("have defaults that make the dev stack", () => {
    const settings = nspawn();
    assert.deepEqual(settings.network, { cidr: "10.41.0.0/24", bridge: "gwbr0" });
    assert.deepEqual([settings.servers, settings.agents], [1, 0]);
  });

  const refused: [string, object, string][] = [
    ["an even number of servers", { driver: "nspawn", servers: 2 }, "servers"],
    ["a network too small", { driver: "nspawn", network: { cidr: "10.0.0.0/28" } }, "network.cidr"],
    ["a bridge name too long", { driver: "nspawn", network: { bridge: "abcdefghijklmnop" } }, "network.bridge"],
    ["memory without a unit", { driver: "nspawn", memory: "4096" }, "memory"],
    [
      "two machines of one name",
      { driver: "ssh", hosts: [host, { ...host, address: "192.0.2.2" }, { ...host, name: "c", address: "192.0.2.3" }] },
      "hosts",
    ],
    [
      "two machines at one address",
      { driver: "ssh", hosts: [host, { ...host, name: "b" }, { ...host, name: "c", address: "192.0.2.3" }] },
      "hosts",
    ],
    ["no server", { driver: "ssh", hosts: [{ ...host, role: "agent" }] }, "hosts"],
    ["a user who can't install", { driver: "ssh", hosts: [{ ...host, user: "admin" }] }, "hosts.0.user"],
    ["a host key that is a path", { driver: "ssh", hosts: [{ ...host, hostKey: "/etc/key.pub" }] }, "hosts.0.hostKey"],
    [
      "a longest ban that is shorter than the first",
      { driver: "nspawn", hardening: { fail2ban: { banTime: "2h", maxBanTime: "1h" } } },
      "hardening.fail2ban.maxBanTime",
    ],
    [
      "a whitelist of everybody",
      { driver: "nspawn", hardening: { adminNetworks: ["0.0.0.0/0"] } },
      "hardening.adminNetworks.0",
    ],
    [
      "a time of no unit",
      { driver: "nspawn", hardening: { fail2ban: { banTime: "3600" } } },
      "hardening.fail2ban.banTime",
    ],
    ["an unknown driver", { driver: "vmware" }, "driver"],
  ];
  for (const [what, target, key] of refused) it(`refuse ${what}`, () => assert.deepEqual(issues(target), [key]));
});

describe("the baseline of a machine", () => {
  const content = (file: string) => baselineFiles(plan).find(({ path: at }) => at === file)!.content;

  it("has the kernel settings of the hardening guide", () => {
    assert.deepEqual(content("/etc/sysctl.d/90-kubelet.conf").trim().split("\n").sort(), [
      "kernel.panic=10",
      "kernel.panic_on_oops=1",
      "vm.overcommit_memory=1",
      "vm.panic_on_oom=0",
    ]);
  });

  it("lets in keys and nothing else over SSH", () => {
    for (const line of [
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      "PermitRootLogin prohibit-password",
      "PermitEmptyPasswords no",
      "AuthenticationMethods publickey",
      "AllowUsers root",
    ]) {
      assert.ok(sshdDropIn().split("\n").includes(line), line);
    }
  });

  it("is sound shell, both ways", () => {
    const done = spawnSync("bash", ["-n"], {
      input: script({ apply: baselineScript(plan), remove: baselineRemoval(plan) }),
      encoding: "utf8",
    });
    assert.equal(done.status, 0, done.stderr);
  });

  it("hardens the network on every machine, and the kernel where it is the machine's own", () => {
    const network = content("/etc/sysctl.d/91-groundwork-network.conf").split("\n");
    for (const line of [
      "net.ipv4.conf.*.rp_filter=1",
      "net.ipv4.conf.all.accept_redirects=0",
      "net.ipv6.conf.default.accept_source_route=0",
      "net.ipv4.tcp_syncookies=1",
    ]) {
      assert.ok(network.includes(line), line);
    }
    // What containers can't set must not stand among what they must: the script would refuse every nspawn machine.
    assert.deepEqual(
      network.filter((line) => line !== "" && !/^net\.ipv[46]\.(conf\.|icmp_|tcp_)/.test(line)),
      [],
    );
    assert.match(
      content("/etc/sysctl.d/91-groundwork-kernel.conf"),
      /^kernel\.kptr_restrict=2\nkernel\.dmesg_restrict=1$/m,
    );
  });

  it("needs no package beyond the first ones until its switches are on", () => {
    assert.deepEqual(baselinePackages(plan), ["nftables", "openssh-server"]);
    assert.deepEqual(baselinePackages({ hardening: on }).slice(2), [
      "fail2ban",
      "python3-systemd",
      "unattended-upgrades",
    ]);
    const has = (file: RegExp, all: BaselinePlan) => baselineFiles(all).some(({ path: at }) => file.test(at));
    for (const file of [/fail2ban/, /apt\.conf/])
      assert.deepEqual([has(file, plan), has(file, { ...plan, hardening: on })], [false, true]);
  });

  it("names the stack's machines to each other", () => {
    assert.match(baselineScript(plan), /^10\.9\.0\.20 agent-1$/m);
  });
});

describe("the jails of a machine", () => {
  const settings = on.fail2ban;
  const [, jail] = fail2banFiles({ settings, trusted: [], sshPort: 2222 }).map(({ content }) => content);

  it("guard SSH by the journal, for longer each time, with nftables", () => {
    assert.match(jail!, /\[sshd\]\nenabled = true\nmode = aggressive\nport = 2222\nbackend = systemd$/m);
    assert.match(jail!, /^banaction_allports = nftables\[type=allports, blocktype=drop\]$/m);
    assert.match(jail!, /^maxretry = 5\nfindtime = 10m\nbantime = 1h\n/m);
    assert.match(jail!, /^bantime\.increment = true\nbantime\.maxtime = 1w$/m);
  });

  it("never ban the stack's machines, the administrators' networks and who runs up", () => {
    const adminNetworks = ["198.51.100.0/24"];
    const text = baselineScript({ ...plan, hardening: { ...on, adminNetworks } });
    const ignored = "127.0.0.0/8 ::1 10.9.0.10 10.9.0.20 198.51.100.0/24";
    assert.ok(text.includes(`ignoreip = ${ignored} \${operator%% *}\n`), /ignoreip.*/.exec(text)?.[0]);
  });

  it("do not take everybody whom the firewall lets at SSH for trusted", () => {
    const text = baselineScript({
      ...plan,
      hardening: on,
      firewall: { ...plan.firewall, adminSources: ["203.0.113.0/24"] },
    });
    assert.doesNotMatch(/ignoreip.*/.exec(text)![0], /203\.0\.113/);
  });

  it("are ended where they are switched off", () => {
    assert.match(baselineScript(plan), /^switch_off fail2ban\.service$/m);
  });
});

describe("unattended upgrades", () => {
  const [apt, timer] = upgradesFiles({ ...on.upgrades, hold: ["runc"] }).map(({ content }) => content);

  it("come from security archives only", () => {
    const origins = apt!.match(/"origin=[^"]*"/g)!;
    assert.equal(origins.length, 2);
    for (const origin of origins) assert.match(origin, /-security[",]/);
    assert.match(apt!, /^#clear Unattended-Upgrade::Allowed-Origins;\n#clear Unattended-Upgrade::Origins-Pattern;$/m);
  });

  it("restart no machine unless told to, and hold what is held", () => {
    assert.match(apt!, /^Unattended-Upgrade::Automatic-Reboot "false";$/m);
    assert.match(apt!, /^Unattended-Upgrade::Package-Blacklist \{ "runc"; \};$/m);
    assert.match(timer!, /^OnCalendar=\*-\*-\* 04:00$/m);
  });

  it("are what apt reads", () => {
    const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-apt-")), "upgrades");
    fs.writeFileSync(file, apt!);
    const done = spawnSync("apt-config", ["-c", file, "dump"], { encoding: "utf8" });
    fs.rmSync(path.dirname(file), { recursive: true });
    assert.match(
      done.stdout,
      /^Unattended-Upgrade::Origins-Pattern:: "origin=Debian,codename=\$\{distro_codename\}-security/m,
    );
  });
});

describe("the firewall", () => {
  const rules = firewallRules(plan.firewall);

  it("drops what no rule lets in", () => assert.match(rules, /hook input priority filter; policy drop;/));

  it("opens the web ports and the configured ones to everyone", () =>
    assert.match(rules, /^ *tcp dport \{ 80, 443, 8443 \} accept$/m));

  it("opens SSH and the API to the administrators' networks", () => {
    assert.match(rules, /^ *ip saddr \{ 192\.0\.2\.0\/24 \} tcp dport \{ 2222, 6443 \} accept$/m);
  });

  it("lets pods ask the API server and the kubelets, and nothing else of the machine", () => {
    const lines = rules.split("\n").filter((line) => line.includes("10.42.0.0/16") || line.includes("10.43.0.0/16"));
    assert.deepEqual(lines, ["    ip saddr { 10.42.0.0/16 } tcp dport { 6443, 10250 } accept"]);
  });

  it("takes no packet that claims to come from the machine itself", () => {
    const [loopback, spoofed] = ["iif lo accept", "ip saddr 127.0.0.0/8 drop"].map((line) => rules.indexOf(line));
    assert.ok(loopback! > 0 && spoofed! > loopback!, rules);
  });

  it("opens etcd and overlay to the stack's machines only", () => {
    for (const port of ["2379", "2380", "8472"]) {
      const lines = rules.split("\n").filter((line) => new RegExp(`\\b${port}\\b`).test(line));
      assert.equal(lines.length, 1, port);
      assert.match(lines[0]!, /ip saddr \{ 10\.9\.0\.10, 10\.9\.0\.20 \}/);
    }
  });

  it("replaces its own table and no other rule of the machine", () => {
    assert.ok(rules.startsWith("table inet groundwork\ndelete table inet groundwork\n"));
    assert.doesNotMatch(rules, /flush ruleset/);
  });
});

describe("a script on a machine", () => {
  const run = (text: string, verb: string) => spawnSync("bash", ["-s", "--", verb], { input: text, encoding: "utf8" });

  it("runs the verb that it is told", () => {
    const text = script({ apply: "echo made", remove: "echo gone" });
    assert.equal(run(text, "apply").stdout, "made\n");
    assert.equal(run(text, "remove").stdout, "gone\n");
  });

  it("is not swallowed by a command that reads standard input", () => {
    assert.equal(run(script({ apply: "cat; echo end", remove: "" }), "apply").stdout, "end\n");
  });

  it("fails with the first command that fails", () => {
    const done = run(script({ apply: "false\necho on", remove: "" }), "apply");
    assert.notEqual(done.status, 0);
    assert.equal(done.stdout, "");
  });

  it("writes files as they are, once", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-put-"));
    try {
      const file = `${folder}/a/b.conf`;
      const content = "a 'quoted' $value `and` \\backslash\n";
      const text = script({
        apply: writeFiles([{ path: file, mode: "600", content }]) + 'echo "changed:$changed"',
        remove: "",
      });
      assert.equal(run(text, "apply").stdout, `changed: ${file}\n`);
      assert.equal(fs.readFileSync(file, "utf8"), content);
      assert.equal(fs.statSync(file).mode & 0o777, 0o600);
      assert.equal(run(text, "apply").stdout, "changed:\n");
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  it("refuses content that would end its own file", () => {
    assert.throws(() => writeFiles([{ path: "/x", content: "a\nGROUNDWORK-END-OF-FILE\n" }]), /\/x contains the line/);
  });
});

describe("preflight of an nspawn target", () => {
  const fine: Computer = {
    platform: "linux",
    user: 0,
    canMount: true,
    missingCommands: [],
    missingFeatures: [],
    freeDisk: 50 * 2 ** 30,
    freeMemory: 16 * 2 ** 30,
    stateFileSystem: "ext2/ext3",
    bridge: "free",
    networks: [{ cidr: "192.0.2.0/24", link: "eth0" }],
    takenAddresses: [],
    strangers: [],
  };
  const problems = (change: Partial<Computer>, settings: object = {}) =>
    nspawnProblems(nspawn(settings), { ...fine, ...change }, { stack: "dev", stateDir: "/s" });

  it("has nothing to say of a computer that will do", () => assert.deepEqual(problems({}), []));

  const messages: [string, Partial<Computer>, string][] = [
    [
      "another system",
      { platform: "darwin" },
      'the target "nspawn" needs Linux, and this is darwin: use "docker", "multipass" or "ssh"',
    ],
    [
      "no root",
      { user: 1000 },
      'machines can only be made by root: run this with sudo, or use the target "docker" or "ssh"',
    ],
    [
      "a container without rights",
      { canMount: false },
      "root may not mount here (CAP_SYS_ADMIN is missing): run this outside the container, or make it privileged",
    ],
    [
      "missing commands",
      { missingCommands: ["systemd-nspawn", "nsenter", "unshare"] },
      "missing on this computer: systemd-nspawn, nsenter, unshare; apt-get install systemd-container util-linux",
    ],
    [
      "a missing kernel feature",
      { missingFeatures: ["bridges (bridge)"] },
      "the kernel has no bridges (bridge): load its module, or boot a kernel that has it",
    ],
    [
      "too little disk",
      { freeDisk: 2 ** 30 },
      "1.0 GiB of disk are free at /s, and 8.0 GiB are needed: free some, or set GROUNDWORK_STATE_DIR",
    ],
    ["too little memory", { freeMemory: 2 ** 30 }, "1.0 GiB of memory are free, and 1 machine(s) need 1.5 GiB"],
    [
      "a state folder that can't hold layers",
      { stateFileSystem: "overlay" },
      "/s lies on overlay, which can't hold a machine's layers: set GROUNDWORK_STATE_DIR to a folder on a local disk",
    ],
    [
      "a foreign bridge",
      { bridge: "foreign" },
      "the link gwbr0 exists and is not ours: choose another name in target.network.bridge",
    ],
    [
      "a network in use",
      { networks: [{ cidr: "10.0.0.0/8", link: "tun0" }] },
      "target.network.cidr 10.41.0.0/24 overlaps 10.0.0.0/8, which this computer has on tun0: choose another",
    ],
    [
      "an address in use",
      { takenAddresses: ["10.41.0.10"] },
      "the address 10.41.0.10 is taken by something that is not of stack dev: choose another target.network.cidr",
    ],
    [
      "machines of an earlier state",
      { strangers: [{ name: "server-1", bridge: "old0" }] },
      'machine dev/server-1 of an earlier run stands on bridge old0, not gwbr0: take it away with "node components/host/nspawn/tool.cjs delete dev/server-1", or go back to that bridge',
    ],
  ];
  for (const [what, change, message] of messages) {
    it(`tells of ${what}`, () => assert.deepEqual(problems(change), [message]));
  }

  it("tells of a network that the cluster itself uses", () => {
    assert.deepEqual(problems({}, { network: { cidr: "10.43.7.0/24" } }), [
      "target.network.cidr 10.43.7.0/24 overlaps 10.43.0.0/16, which the cluster uses for services: choose another",
    ]);
  });

  it("does not take the stack's own bridge for a clash", () => {
    assert.deepEqual(problems({ bridge: "ours", networks: [{ cidr: "10.41.0.0/24", link: "gwbr0" }] }), []);
  });

  it("tells of everything at once", () =>
    assert.equal(problems({ user: 1000, freeDisk: 0, bridge: "foreign" }).length, 3));
});

describe("preflight and check of existing machines", () => {
  const settings = targetSchema.parse({
    driver: "ssh",
    hosts: [{ name: "box", address: "192.0.2.7" }],
    privateKeyFile: "/no/such/key",
  }) as SshSettings;
  const spec = { name: "box", address: "192.0.2.7", port: 22, packages: ["nftables"] };

  it("tell of a missing key file and of a machine that does not answer", () => {
    assert.deepEqual(sshProblems(settings, { box: false }), [
      "target.privateKeyFile: /no/such/key does not exist; name a private key, or leave the setting out to have one made",
      "machine box: no SSH server answers at 192.0.2.7:22; is it on, is the address right, and does its firewall let this computer in?",
    ]);
  });

  it("tell which line to install where the key is refused", () => {
    const message = explain(spec, "root@192.0.2.7: Permission denied (publickey).", "ssh-ed25519 AAAA key");
    assert.match(
      message,
      /refuses the key: add this line to \/root\/\.ssh\/authorized_keys there, then run this again:\nssh-ed25519 AAAA key$/,
    );
  });

  it("warn of another host key", () => {
    assert.match(explain(spec, "Host key verification failed.", ""), /shows another host key than target\.hosts says/);
  });
});

describe("the seed of a machine", () => {
  const spec = {
    stack: "dev",
    name: "server-1",
    address: "10.9.0.10",
    prefix: 24,
    gateway: "10.9.0.1",
    bridge: "b",
    publicKey: "ssh-ed25519 AAAA x\n",
    rootfs: "r",
    rootfsDigest: "d",
  };

  it("holds the public key, the address and the default route, and no private key", () => {
    const files = seedFiles(spec, false);
    assert.equal(files["/root/.ssh/authorized_keys"], "ssh-ed25519 AAAA x\n");
    assert.match(files["/usr/local/lib/groundwork/start"]!, /10\.9\.0\.10\/24 dev host0[^]*default via 10\.9\.0\.1/);
    assert.doesNotMatch(JSON.stringify(files), /PRIVATE KEY/);
  });

  it("asks no name server where there is no way out", () =>
    assert.doesNotMatch(seedFiles(spec, false)["/etc/resolv.conf"]!, /^nameserver/m));
});

describe("the lock between processes", () => {
  it("lets one in at a time", async () => {
    const order: string[] = [];
    const work = (name: string) => async () => {
      order.push(`${name} in`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      order.push(`${name} out`);
    };
    await Promise.all([withLock(`test-${process.pid}`, work("a")), withLock(`test-${process.pid}`, work("b"))]);
    assert.deepEqual(
      order.map((entry) => entry.split(" ")[1]),
      ["in", "out", "in", "out"],
    );
  });
});
