import * as assert from "node:assert/strict";
import { ChildProcess, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { poll, run, sshBanner } from "../../components/host/nspawn/process";
import type { FirewallRule, LoadBalancerSpec, ServerSpec } from "../../standins/cloud/backend";
import { clean, machinesBackend, MachinesBackend } from "../../standins/cloud/machines";
import { openSite } from "../../standins/cloud/machines/site";
import { leftBehind, MachineSnapshot, snapshot } from "../support/machine";

/** Answers a request with its machine's name and, in hexadecimal digits, what the PROXY protocol said before it. */
const web = `#!/usr/bin/python3
import socket, socketserver
class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        text = b""
        while b"\\r\\n\\r\\n" not in text:
            part = self.request.recv(4096)
            if not part: return
            text += part
        said = text.split(b"GET ")[0].hex() or "-"
        self.request.sendall(f"HTTP/1.0 200 OK\\r\\n\\r\\n{socket.gethostname()} {said}".encode())
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
Server(("", 8080), Handler).serve_forever()
`;
const unit = `[Service]
ExecStart=/usr/local/bin/web
`;
const indent = (text: string): string => text.replace(/^/gm, "      ");
const node = `#cloud-config
write_files:
  - path: /usr/local/bin/web
    permissions: "0755"
    content: |
${indent(web)}
  - path: /etc/systemd/system/web.service
    content: |
${indent(unit)}
runcmd:
  - ip route add default via 10.0.0.1
  - systemctl start web
`;
const gateway = `#cloud-config
runcmd:
  - sysctl -qw net.ipv4.ip_forward=1
  - nft add table ip nat
  - nft 'add chain ip nat out { type nat hook postrouting priority srcnat; }'
  - nft add rule ip nat out ip saddr 10.0.0.0/16 oifname eth0 masquerade
  - touch /run/is-gateway
`;

/**
 * The emulated cloud's machines by their backend alone, without the API before it: what a stack of Hetzner Cloud relies on. Costs
 * about a minute, up to four machines without a cluster and 300 MB of memory.
 */
describe("machines of the emulated cloud", function () {
  this.timeout(3 * 60_000);
  this.bail(true);

  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-cloud-"));
  const state = path.join(folder, "state");
  const key = path.join(folder, "key");
  let cloud: MachinesBackend;
  let mark: string;
  let untouched: MachineSnapshot;
  let address: (last: number) => string;
  let publicKey: string;

  const server = (id: number, name: string, given: Partial<ServerSpec>): ServerSpec => ({
    ...{ id, name, image: "debian-12", location: "fsn1", userData: node, sshKeys: [publicKey], start: true },
    type: { name: "cx22", cores: 2, memory: 4, disk: 40, architecture: "x86" },
    private: [{ networkId: 1, ip: `10.0.1.${id}`, aliasIps: [], mac: `86:00:00:00:01:0${id}` }],
    ...given,
  });
  const allow = (port: string, source: string): FirewallRule => ({
    ...{ direction: "in", protocol: "tcp", port, sourceIps: [source], destinationIps: [] },
  });

  const options = (): string[] => [
    ...["-F", "/dev/null", "-i", key, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"],
    ...["-o", "LogLevel=ERROR", "-o", "ConnectTimeout=5", "-o", "BatchMode=yes"],
  ];
  /** Runs a command on the gateway, or on a private machine through it. Not in the foreground: this process answers machines. */
  const ssh = (command: string, privateAddress?: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const jump = `ssh ${options().join(" ")} -W %h:%p root@${address(130)}`;
      const way = privateAddress ? ["-o", `ProxyCommand=${jump}`, `root@${privateAddress}`] : [`root@${address(130)}`];
      const child = spawn("ssh", [...options(), ...way, command], { stdio: ["ignore", "pipe", "pipe"] });
      let [output, errors] = ["", ""];
      child.stdout.on("data", (part: Buffer) => (output += part.toString()));
      child.stderr.on("data", (part: Buffer) => (errors += part.toString()));
      child.once("close", (code) => (code === 0 ? resolve(output.trim()) : reject(new Error(errors || output))));
    });
  /** What a web server says, or undefined when it says nothing: that a connection is accepted proves nothing behind some proxies. */
  const get = (host: string, port: number, from?: string): Promise<string | undefined> =>
    new Promise((resolve) => {
      let text = "";
      const socket = net.connect({ host, port, localAddress: from }, () => socket.write("GET / HTTP/1.0\r\n\r\n"));
      socket.setTimeout(1500, () => socket.destroy());
      socket.on("data", (part) => (text += part.toString()));
      socket.on("error", () => undefined);
      socket.once("close", () => resolve(/\r\n\r\n(.*)$/s.exec(text)?.[1]));
    });
  const banner = (host: string, from: string): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = net.connect({ host, port: 22, localAddress: from });
      socket.setTimeout(1500, () => socket.destroy());
      socket.on("error", () => undefined);
      let greeted = false;
      socket.on("data", (part) => (socket.destroy(), (greeted = part.toString().startsWith("SSH-"))));
      socket.once("close", () => resolve(greeted));
    });
  const until = async (what: string, check: () => Promise<unknown>): Promise<void> =>
    void assert.ok(await poll(60_000, 100, async () => check().catch(() => undefined)), what);

  before("a network, a gateway and two private machines", async () => {
    untouched = snapshot();
    spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
    publicKey = fs.readFileSync(`${key}.pub`, "utf8");
    ({ mark } = await openSite(state));
    cloud = await machinesBackend({ folder: state });
    address = (last) => cloud.computer.replace(/\d+$/, String(last));
    await cloud.createNetwork({ id: 1, name: "private", ipRange: "10.0.0.0/16", subnets: [] });
    await cloud.setRoutes(1, [{ destination: "0.0.0.0/0", gateway: "10.0.1.1" }]);
    await cloud.createServer(server(1, "gateway", { userData: gateway, publicIpv4: address(130) }));
    await Promise.all([2, 3].map((id) => cloud.createServer(server(id, `node-${id}`, {}))));
    await cloud.setFirewall(1, [allow("22", `${cloud.computer}/32`), allow("8080", "0.0.0.0/0")]);
    await until("the gateway is ready", () => ssh("test -e /run/is-gateway && echo yes"));
    await until("the nodes are ready", () => ssh("cloud-init status --wait", "10.0.1.3"));
  });

  after("nothing stays, whatever happened", async () => {
    await clean(state);
    fs.rmSync(folder, { recursive: true, force: true });
  });

  it("let in over SSH whom the firewall names, and nobody else", async () => {
    const stranger = address(9);
    run("ip", "addr", "add", `${stranger}/24`, "dev", mark);
    assert.deepEqual(await Promise.all([cloud.computer, stranger].map((from) => banner(address(130), from))), [
      true,
      false,
    ]);
  });
  /** What bears our marks and was not there before: others' machines come and go meanwhile. */
  const leftovers = (): string[] => {
    const ours = new RegExp(`${mark}|${path.basename(folder)}`);
    const left = Object.values(leftBehind(untouched, snapshot(), ours)).flat();
    return [...left, ...run("losetup", "--list", "--noheadings", "--output", "BACK-FILE").split("\n")].filter((line) =>
      ours.test(line),
    );
  };

  it("are reached in the private network through the gateway only", async () => {
    assert.equal(await ssh("hostname", "10.0.1.2"), "node-2");
    assert.equal(await sshBanner("10.0.1.2"), undefined);
    assert.equal(run("ip", "route", "get", "10.0.1.2").includes("gwc"), false);
  });

  it("reach each other, and the world as the gateway", async () => {
    const seen: string[] = [];
    const outside = net.createServer((socket) => {
      seen.push(socket.remoteAddress!);
      socket.end("outside");
    });
    await new Promise<void>((resolve) => outside.listen(0, cloud.computer, resolve));
    const { port } = outside.address() as net.AddressInfo;
    try {
      const ask = `bash -c 'head -c 7 < /dev/tcp/${cloud.computer}/${port}'`;
      assert.equal(await ssh(ask, "10.0.1.2"), "outside");
      assert.deepEqual(seen, [address(130)]);
      assert.match(await ssh("bash -c 'head -c 4 < /dev/tcp/10.0.1.3/22'", "10.0.1.2"), /^SSH-/);
      // Where nobody translates its address, a private one leads nowhere.
      await ssh("nft delete table ip nat");
      await assert.rejects(ssh(`timeout 2 ${ask}`, "10.0.1.2"));
    } finally {
      outside.close();
    }
    await cloud.setFirewall(1, [
      allow("22", `${cloud.computer}/32`),
      { direction: "out", protocol: "tcp", port: "443", sourceIps: [], destinationIps: ["0.0.0.0/0"] },
    ]);
    // Connections that come in have their answers; those that go out are limited from now on.
    await assert.rejects(ssh(`timeout 2 bash -c 'head -c 4 < /dev/tcp/${cloud.computer}/22'`));
  });

  it("know who they are", async () => {
    const ask = (what: string) =>
      `bash -c "exec 3<>/dev/tcp/169.254.169.254/80; printf 'GET ${what} HTTP/1.0\\r\\n\\r\\n' >&3; tail -n 1 <&3"`;
    assert.equal(await ssh(ask("/hetzner/v1/metadata/instance-id"), "10.0.1.2"), "2");
    assert.equal(await ssh(ask("/hetzner/v1/metadata/instance-id")), "1");
    assert.equal(await ssh(ask("/hetzner/v1/metadata/hostname"), "10.0.1.3"), "node-3");
    assert.equal(await ssh(ask("/hetzner/v1/metadata/availability-zone"), "10.0.1.3"), "fsn1-dc1");
  });

  const balancer = (): LoadBalancerSpec => ({
    ...{ id: 7, name: "ingress", algorithm: "round_robin", publicIpv4: address(140) },
    privateIps: [{ networkId: 1, ip: "10.0.2.1" }],
    services: [
      {
        ...{ protocol: "tcp", listenPort: 80, destinationPort: 8080, proxyprotocol: true },
        healthCheck: { protocol: "tcp", port: 8080, interval: 0.3, timeout: 1, retries: 2 },
      },
    ],
    targets: ["10.0.1.2", "10.0.1.3"].map((target) => ({ address: target })),
  });
  const health = async () => Object.fromEntries((await cloud.healthOf(7)).map((one) => [one.address, one.status]));
  const answers = async () =>
    new Set(
      (await Promise.all([1, 2, 3, 4].map(() => get(address(140), 80)))).map((text) => text?.split(" ")[0] ?? "none"),
    );

  it("get what a balancer is told, with who is behind it", async () => {
    await cloud.setLoadBalancer(balancer());
    await until("both targets are healthy", async () =>
      Object.values(await health()).every((status) => status === "healthy"),
    );
    assert.deepEqual([...(await answers())].sort(), ["node-2", "node-3"]);
    const [, said] = (await get(address(140), 80))!.split(" ");
    const hex = (ip: string): string => Buffer.from(ip.split(".").map(Number)).toString("hex");
    assert.match(said!, new RegExp(`^0d0a0d0a000d0a515549540a2111000c${hex(cloud.computer)}${hex(address(140))}`));
    assert.match(
      await ssh("bash -c \"exec 3<>/dev/tcp/10.0.2.1/80; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3\""),
      /node-/,
    );
  });

  it("are left out by it while they are ill", async () => {
    await ssh("systemctl stop web", "10.0.1.3");
    await until("one target is unhealthy", async () => (await health())["10.0.1.3"] === "unhealthy");
    assert.deepEqual([...(await answers())], ["node-2"]);
    await ssh("systemctl start web", "10.0.1.3");
    await until("it is healthy again", async () => (await health())["10.0.1.3"] === "healthy");
    assert.equal((await answers()).size, 2);
  });

  it("stay behind a balancer that changes, and behind one that was ended", async () => {
    await cloud.setLoadBalancer({ ...balancer(), publicIpv4: undefined, targets: [{ address: "10.0.1.2" }] });
    assert.equal(await get(address(140), 80), undefined);
    const program = () => Number(fs.readFileSync(path.join(state, "balancers", "7", "pid"), "utf8"));
    const ended = program();
    process.kill(ended, "SIGKILL");
    await until("another one runs", async () => program() !== ended);
    await cloud.setLoadBalancer(balancer());
    await until("it forwards again", async () => get(address(140), 80));
  });

  it("are closed where a rule goes", async () => {
    await cloud.createServer(server(4, "public", { publicIpv4: address(131), private: [] }));
    const open = async () => (await get(address(131), 8080)) !== undefined;
    await until("without a firewall everything is open", open);
    await cloud.setFirewall(4, [allow("8080", "0.0.0.0/0")]);
    assert.ok(await open());
    await cloud.setFirewall(4, []);
    assert.ok(!(await open()));
    await cloud.setFirewall(4, null);
    assert.ok(await open());
    await cloud.deleteServer(4);
    assert.ok(!(await open()));
  });

  it("hold volumes, which keep what is on them", async () => {
    const volume = { id: 5, name: "data", size: 1, format: "ext4" as const };
    const mount = (device: string) => `mkdir -p /mnt/data && mount ${device} /mnt/data`;
    await cloud.createVolume(volume);
    const { linuxDevice } = await cloud.attachVolume(volume, 2);
    assert.equal(linuxDevice, "/dev/disk/by-id/scsi-0HC_Volume_5");
    await ssh(`${mount(linuxDevice)} && echo kept > /mnt/data/file`, "10.0.1.2");
    await assert.rejects(cloud.attachVolume(volume, 3), { code: "volume_already_attached" });
    await cloud.detachVolume(5);
    await cloud.resizeVolume(5, 2);
    await cloud.attachVolume({ ...volume, size: 2 }, 3);
    assert.equal(
      await ssh(`blockdev --getsize64 ${linuxDevice}; ${mount(linuxDevice)}; cat /mnt/data/file`, "10.0.1.3"),
      `${2 * 2 ** 30}\nkept`,
    );
    await cloud.reboot(3);
    await until("it is there after a restart", () =>
      ssh(`ip route add default via 10.0.0.1; blkid ${linuxDevice}`, "10.0.1.3"),
    );
  });

  it("restart when they are told to from inside", async () => {
    const started = "cut -d ' ' -f 22 /proc/1/stat";
    const before = await ssh(started, "10.0.1.3");
    await ssh("touch /run/before; systemctl reboot", "10.0.1.3").catch(() => "the connection went with it");
    await until("it runs anew", async () => {
      const now = await ssh(started, "10.0.1.3");
      return now !== before;
    });
    assert.equal(await ssh("ls /run/before 2> /dev/null; ip route show default", "10.0.1.3").catch(() => ""), "");
  });

  it("keep their disk over a power cut, and run for the next emulator too", async () => {
    await ssh("echo kept > /root/file; sync", "10.0.1.2");
    await cloud.powerOff(2);
    assert.equal(await cloud.isRunning!(2), false);
    await cloud.stop();
    cloud = await machinesBackend({ folder: state });
    assert.deepEqual(await Promise.all([1, 2].map((id) => cloud.isRunning!(id))), [true, false]);
    await cloud.powerOn(2);
    await until("the file is there", async () => (await ssh("cat /root/file", "10.0.1.2")) === "kept");
  });

  it("lend their disk to others, but neither their name nor their keys", async () => {
    const hostKey = "cat /etc/ssh/ssh_host_ed25519_key.pub";
    const before = await ssh(hostKey, "10.0.1.2");
    await cloud.createImage!(2, 9);
    await cloud.createServer(server(6, "copy", { image: "snapshot-9", userData: "" }));
    await cloud.deleteImage!(9);
    await until("it answers", () => ssh("echo up", "10.0.1.6"));
    assert.equal(await ssh("hostname; cat /root/file", "10.0.1.6"), "copy\nkept");
    assert.notEqual(await ssh(hostKey, "10.0.1.6"), before);
  });

  it("leave nothing behind, once all is deleted", async () => {
    await cloud.deleteLoadBalancer(7);
    for (const id of [1, 2, 3, 6]) await cloud.deleteServer(id);
    await cloud.deleteVolume(5);
    await cloud.deleteNetwork(1);
    await cloud.stop();
    assert.deepEqual(fs.readdirSync(state), []);
    assert.deepEqual(leftovers(), []);
  });

  it("are taken away after their emulator was killed", async () => {
    const program = `
      require("ts-node").register({ transpileOnly: true, cwd: ${JSON.stringify(__dirname)} });
      const { machinesBackend } = require(${JSON.stringify(path.resolve(__dirname, "../../standins/cloud/machines"))});
      (async () => {
        const cloud = await machinesBackend({ folder: ${JSON.stringify(state)} });
        await cloud.createNetwork({ id: 1, name: "private", ipRange: "10.0.0.0/16", subnets: [] });
        await cloud.createServer(${JSON.stringify(server(1, "gateway", { publicIpv4: address(130) }))});
        await cloud.createVolume({ id: 2, name: "data", size: 1 });
        await cloud.attachVolume({ id: 2, name: "data", size: 1 }, 1);
        console.log("made");
      })();`;
    const child: ChildProcess = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => child.stdout!.once("data", resolve));
    child.kill("SIGKILL");
    await clean(state);
    await clean(state);
    assert.deepEqual(fs.readdirSync(state), []);
    assert.deepEqual(leftovers(), []);
  });
});
