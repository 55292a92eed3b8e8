import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { gzipSync } from "node:zlib";
import { CloudError, FirewallRule, ServerSpec } from "../../../standins/cloud/backend";
import { choose } from "../../../standins/cloud/machines/balancer/forwarder";
import { isExpected } from "../../../standins/cloud/machines/balancer/health";
import { plain, proxyHeader } from "../../../standins/cloud/machines/balancer/proxy-protocol";
import { fillDisk } from "../../../standins/cloud/machines/disk";
import { firewallText } from "../../../standins/cloud/machines/firewall";
import { firstOf } from "../../../standins/cloud/machines/internet";
import { routerAddress } from "../../../standins/cloud/machines/networks";
import { readUserData } from "../../../standins/cloud/machines/user-data";

describe("user data, as a server of the emulator reads it", () => {
  const refusal = (text: string): CloudError => {
    try {
      readUserData(text);
    } catch (error) {
      assert.ok(error instanceof CloudError);
      return error;
    }
    return assert.fail("it was taken");
  };

  it("may be missing, a script or a cloud-config", () => {
    assert.equal(readUserData("").once, "");
    assert.equal(readUserData("#!/bin/sh\necho hello\n").once, "#!/bin/sh\necho hello\n");
    assert.equal(readUserData("#cloud-config\n").hostname, undefined);
  });

  it("gives the name, the keys and the host keys", () => {
    const read = readUserData(`#cloud-config
fqdn: node-1.example.org
ssh_authorized_keys: [ssh-ed25519 AAAA one]
users: [default, { name: root, ssh_authorized_keys: [ssh-ed25519 AAAA two] }]
ssh_keys: { ed25519_private: "private", ed25519_public: "public" }
ssh_pwauth: false
`);
    assert.equal(read.hostname, "node-1");
    assert.deepEqual(read.authorizedKeys, ["ssh-ed25519 AAAA one", "ssh-ed25519 AAAA two"]);
    assert.deepEqual(read.hostKeys, {
      "/etc/ssh/ssh_host_ed25519_key": "private\n",
      "/etc/ssh/ssh_host_ed25519_key.pub": "public\n",
    });
  });

  it("gives files, whatever they are encoded in", () => {
    const packed = gzipSync("text").toString("base64");
    const { files } = readUserData(`#cloud-config
write_files:
  - { path: /a, content: text, permissions: "0755" }
  - { path: /b, content: ${Buffer.from("text").toString("base64")}, encoding: b64, append: true }
  - { path: /c, content: ${packed}, encoding: gz+b64 }
`);
    assert.deepEqual(
      files.map(({ path: at, content, mode, append }) => [at, content.toString(), mode, append]),
      [
        ["/a", "text", 0o755, false],
        ["/b", "text", 0o644, true],
        ["/c", "text", 0o644, false],
      ],
    );
  });

  it("gives commands: strings as shell, lists as words", () => {
    const { once, boot } = readUserData(
      `#cloud-config\nruncmd: ["echo $HOME", [echo, "it's", "$HOME", 5]]\nbootcmd: [date]\n`,
    );
    assert.equal(once, `#!/bin/sh\necho $HOME\n'echo' 'it'\\''s' '$HOME' '5'\n`);
    assert.equal(boot, "date\n");
  });

  it("is refused where a server of the emulator could not follow it", () => {
    assert.match(refusal("hostname: a").message, /neither with #cloud-config nor with #!/);
    assert.match(refusal("#cloud-config\nswap: { filename: /swap }").message, /swap/);
    assert.match(refusal("#cloud-config\nusers: [{ name: admin }]").message, /users/);
    assert.match(refusal("#cloud-config\n{ a").message, /flow/i);
    assert.equal(refusal("#cloud-config\nswap: 1").code, "invalid_input");
  });

  it("may ask for packages that the image has, and no others", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-disk-"));
    const at = (name: string): string => path.join(folder, name);
    const place = {
      pid: at("pid"),
      log: at("log"),
      root: at("r"),
      upper: at("u"),
      work: at("w"),
      volumes: {} as never,
    };
    const server = (packages: string): ServerSpec => ({
      ...{ id: 1, name: "a", image: "debian-12", sshKeys: ["ssh-ed25519 AAAA api"], private: [], start: false },
      type: { name: "cx22", cores: 2, memory: 4, disk: 40, architecture: "x86" },
      userData: `#cloud-config\npackages: [${packages}]\nssh_authorized_keys: [ssh-ed25519 AAAA config]\nwrite_files: [{ path: /etc/motd, content: more, append: true }]\n`,
    });
    try {
      fs.mkdirSync(at("lower/var/lib/dpkg"), { recursive: true });
      fs.mkdirSync(at("lower/etc"), { recursive: true });
      fs.writeFileSync(at("lower/etc/motd"), "hello ");
      fs.writeFileSync(at("lower/var/lib/dpkg/status"), "Package: nftables\nStatus: install ok installed\n");
      assert.throws(() => fillDisk(place, [at("lower")], server("nftables, haproxy")), /no package haproxy,/);
      fillDisk(place, [at("lower")], server("nftables"));
      assert.equal(fs.readFileSync(at("u/etc/motd"), "utf8"), "hello more");
      assert.equal(
        fs.readFileSync(at("u/root/.ssh/authorized_keys"), "utf8"),
        "ssh-ed25519 AAAA api\nssh-ed25519 AAAA config\n",
      );
      assert.equal(fs.statSync(at("u/root/.ssh/authorized_keys")).mode & 0o777, 0o600);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });
});

describe("rules of the emulated cloud's firewalls", () => {
  const rule = (given: Partial<FirewallRule>): FirewallRule => ({
    ...{ direction: "in", protocol: "tcp", sourceIps: [], destinationIps: [] },
    ...given,
  });

  it("are none for a server without a firewall", () => {
    assert.doesNotMatch(firewallText([{ id: 7, rules: null }]), /s7|drop/);
  });

  it("let nothing in to a server whose firewall is empty, and everything out", () => {
    const text = firewallText([{ id: 7, rules: [] }]);
    assert.match(text, /chain to_7 \{\n {4}drop\n/);
    assert.match(text, /oifname "s7" jump to_7/);
    assert.doesNotMatch(text, /iifname/);
  });

  it("match addresses of both kinds, ports and protocols", () => {
    const text = firewallText([
      {
        id: 7,
        rules: [
          rule({ port: "80", sourceIps: ["0.0.0.0/0", "::/0"] }),
          rule({ protocol: "udp", port: "1024-5000", sourceIps: ["192.0.2.0/24"] }),
          rule({ protocol: "icmp", sourceIps: ["192.0.2.1/32"] }),
          rule({ direction: "out", port: "443", destinationIps: ["198.51.100.0/24"] }),
        ],
      },
    ]);
    for (const line of [
      "ip saddr 0.0.0.0/0 tcp dport 80 return",
      "ip6 saddr ::/0 tcp dport 80 return",
      "ip saddr 192.0.2.0/24 udp dport 1024-5000 return",
      "ip saddr 192.0.2.1/32 meta l4proto { icmp, ipv6-icmp } return",
      "ip daddr 198.51.100.0/24 tcp dport 443 return",
      'iifname "s7" jump from_7',
    ]) {
      assert.ok(
        text.split("\n").some((one) => one.trim() === line),
        `${line}\n${text}`,
      );
    }
    assert.ok(text.indexOf("established") < text.indexOf("jump"), "connections that exist go on");
  });
});

describe("the emulated cloud's balancers", () => {
  it("take targets in turn, or the one with the fewest connections", () => {
    const targets = [{ connections: 2 }, { connections: 0 }, { connections: 1 }];
    assert.deepEqual(
      [0, 1, 2, 3].map((turn) => targets.indexOf(choose(targets, "round_robin", turn)!)),
      [0, 1, 2, 0],
    );
    assert.equal(choose(targets, "least_connections", 5), targets[1]);
    assert.equal(choose([], "round_robin", 0), undefined);
  });

  it("expect statuses by pattern", () => {
    assert.ok(isExpected(204, ["2??", "3??"]));
    assert.ok(!isExpected(404, ["2??", "3??"]));
    assert.ok(isExpected(401, ["401"]));
  });

  const talk = (source: string, destination: string) => ({
    source: { address: source, port: 50_000 },
    destination: { address: destination, port: 443 },
  });

  it("say who talks, in words or bytes", () => {
    const v4 = talk("::ffff:192.0.2.7", "198.51.100.1");
    assert.equal(proxyHeader(v4, 1).toString(), "PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n");
    assert.equal(
      proxyHeader(v4, 2).toString("hex"),
      "0d0a0d0a000d0a515549540a" + "2111000c" + "c0000207c6336401" + "c35001bb",
    );
    const v6 = talk("2001:db8::7", "2001:db8:1::ffff");
    assert.equal(
      proxyHeader(v6, 2).toString("hex"),
      "0d0a0d0a000d0a515549540a" +
        "21210024" +
        "20010db8000000000000000000000007" +
        "20010db800010000000000000000ffff" +
        "c35001bb",
    );
    assert.equal(plain("::ffff:192.0.2.7"), "192.0.2.7");
    assert.equal(plain("2001:db8::ffff"), "2001:db8::ffff");
  });
});

describe("addresses of the emulated cloud", () => {
  it("are the first of a server's IPv6 network, and the router's the first of a private one", () => {
    assert.equal(firstOf("2001:db8:1:5::/64"), "2001:db8:1:5::1");
    assert.equal(routerAddress("10.0.0.0/16"), "10.0.0.1");
  });
});
