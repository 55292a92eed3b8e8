import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { extract } from "tar-stream";
import type { Container, Network } from "../../components/host/docker/engine";
import { checkContainer, createArgs, fixedOf, sshPlace } from "../../components/host/docker/machine";
import { checkNetwork } from "../../components/host/docker/network";
import { ContainerSpec, publishedOf, volumesOf } from "../../components/host/docker/plan";
import { dockerProblems, EngineFacts, readInfo } from "../../components/host/docker/preflight";
import { restoreKernel, seedArchive, seedEntries } from "../../components/host/docker/seed";
import type { DockerSettings } from "../../components/host/docker/settings";
import { planMachines } from "../../components/host/nspawn/plan";
import { sshBanner } from "../../components/host/nspawn/process";
import { targetSchema } from "../../components/host/settings";

const settings = (more: object = {}) => targetSchema.parse({ driver: "docker", ...more }) as DockerSettings;
const spec: ContainerSpec = {
  ...{ stack: "dev", name: "server-1", address: "10.9.0.10", cidr: "10.9.0.0/24", gateway: "10.9.0.1" },
  ...{ publicKey: "ssh-ed25519 AAAA x\n", rootfs: "entries/rootfs.tar", rootfsDigest: "0123456789abcdef0123" },
};

describe("machines in containers", () => {
  it("are reached at their own addresses unless that is impossible", () => {
    const [machine] = planMachines(settings());
    assert.equal(publishedOf(settings(), machine!), undefined);
    assert.deepEqual(sshPlace(spec), { host: "10.9.0.10", port: 22 });
  });

  it("have each a port of its own for SSH, and the first server what people use", () => {
    const many = settings({ servers: 7, agents: 32, publish: { enabled: true } });
    const published = planMachines(many).map((machine) => publishedOf(many, machine)!);
    assert.deepEqual(published[0], { address: "127.0.0.1", ports: { 22: 2210, 80: 80, 443: 443, 6443: 6443 } });
    const ports = published.flatMap((one) => Object.values(one.ports));
    assert.equal(new Set(ports).size, ports.length);
    assert.deepEqual(Object.keys(published[1]!.ports), ["22"]);
    assert.deepEqual(sshPlace({ address: "10.9.0.10", published: published[0] }), { host: "127.0.0.1", port: 2210 });
  });

  it("keep a machine's port when machines of the other role come", () => {
    const ports = (servers: number) => {
      const plan = settings({ servers, agents: 1, publish: { enabled: true } });
      return publishedOf(plan, planMachines(plan).at(-1)!)!.ports[22];
    };
    assert.equal(ports(1), ports(3));
  });

  it("are made with what a kubelet needs, pull nothing, and show their ports on one address only", () => {
    const published = { address: "127.0.0.1", ports: { 22: 2210 } };
    const line = createArgs({ ...spec, published, memory: 2 ** 31, cpus: 1.5 }, "image", "/s", "/cache").join(" ");
    for (const part of [
      "create --name groundwork-dev-server-1 --hostname server-1 --pull never",
      "--privileged --cgroupns private",
      "--tmpfs /run",
      "--network groundwork-dev --ip 10.9.0.10",
      "--publish 127.0.0.1:2210:22",
      "--mount type=bind,source=/cache,target=/var/lib/groundwork/artifacts,readonly",
      "--volume groundwork-dev-server-1-rancher:/var/lib/rancher",
      "--memory 2147483648 --memory-swap 2147483648 --cpus 1.5",
      "image /sbin/init",
    ]) {
      assert.ok(line.includes(part), `${part} in ${line}`);
    }
    assert.doesNotMatch(createArgs(spec, "image", "/s", "/cache").join(" "), /--publish|--memory|--cpus/);
  });

  it("keep on plain volumes what can't lie on an overlay", () =>
    assert.deepEqual(Object.keys(volumesOf(spec)), ["/var/lib/rancher", "/var/lib/kubelet"]));
});

describe("what is in the engine already", () => {
  const container = (labels: Record<string, string>): Container => ({
    State: { Running: true, Status: "running", StartedAt: "" },
    Config: { Labels: labels },
    HostConfig: { Memory: 0, NanoCpus: 0 },
    Image: "i",
  });
  const ours = {
    ...{ "groundwork.stack": "dev", "groundwork.machine": "server-1", "groundwork.owner": "/s" },
    "groundwork.fixed": fixedOf(spec),
  };

  it("is taken for the machine where it is it", () => checkContainer(spec, container(ours), "/s"));

  const refused: [string, Record<string, string>, RegExp][] = [
    ["a container of somebody else's", {}, /^the container groundwork-dev-server-1 exists and is not ours/],
    ["another checkout's stack of that name", { ...ours, "groundwork.owner": "/t" }, /belongs to the stack dev of \/t/],
    [
      "a machine that was made otherwise",
      { ...ours, "groundwork.fixed": "[]" },
      /another address, key or port, .* "node components\/host\/docker\/tool\.cjs delete dev\/server-1"$/,
    ],
  ];
  for (const [what, labels, message] of refused) {
    it(`is refused: ${what}`, () => assert.throws(() => checkContainer(spec, container(labels), "/s"), { message }));
  }

  it("is refused: a network of another's, or with other addresses", () => {
    const network = (labels: Record<string, string>, subnet: string): Network => ({
      Labels: labels,
      IPAM: { Config: [{ Subnet: subnet }] },
      Containers: null,
    });
    const mine = { "groundwork.stack": "dev", "groundwork.owner": "/s" };
    checkNetwork(spec, network(mine, "10.9.0.0/24"), "/s");
    assert.throws(() => checkNetwork(spec, network({}, "10.9.0.0/24"), "/s"), { message: /is not ours/ });
    assert.throws(() => checkNetwork(spec, network(mine, "10.8.0.0/24"), "/s"), {
      message: /has 10\.8\.0\.0\/24, not 10\.9\.0\.0\/24: go back to it/,
    });
  });
});

describe("the seed of a container", () => {
  const entries = seedEntries(spec, "nameserver 192.0.2.53\n");

  it("holds the public key and no private one", () => {
    assert.equal(entries["/root/.ssh/authorized_keys"]!.content, "ssh-ed25519 AAAA x\n");
    assert.doesNotMatch(JSON.stringify(entries), /PRIVATE KEY/);
  });

  it("keeps systemd from what belongs to the computer: devices, modules, kernel settings", () => {
    for (const unit of ["systemd-udevd.service", "systemd-modules-load.service", "getty.target"]) {
      assert.equal(entries[`/etc/systemd/system/${unit}`]?.target, "/dev/null", unit);
    }
    const [, sysctl] = Object.entries(entries).find(([file]) => file.includes("systemd-sysctl.service.d"))!;
    assert.match(
      sysctl.content!,
      /^ExecStart=\nExecStart=-.*systemd-sysctl \/etc\/sysctl\.d\/91-groundwork-network\.conf$/m,
    );
  });

  it("is sound shell", () => {
    for (const text of [entries["/usr/local/lib/groundwork/start"]!.content!, restoreKernel]) {
      const done = spawnSync("sh", ["-n"], { input: text, encoding: "utf8" });
      assert.equal(done.status, 0, done.stderr);
    }
  });

  it("remembers what the kernel's settings were before the first machine, and gives that back", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-kernel-"));
    try {
      const here = (text: string) =>
        text.replaceAll("/proc/sys", `${folder}/proc`).replaceAll("/var/lib/groundwork/kernel", `${folder}/kept`);
      const proc = (key: string) => path.join(folder, "proc", ...key.split("."));
      const before: Record<string, string> = {
        "vm.overcommit_memory": "0",
        "kernel.panic": "10",
        "fs.inotify.max_user_instances": "128",
      };
      fs.mkdirSync(path.join(folder, "kept"));
      for (const [key, value] of Object.entries(before)) {
        fs.mkdirSync(path.dirname(proc(key)), { recursive: true });
        fs.writeFileSync(proc(key), `${value}\n`);
      }
      // Stand-ins of the kernel's files; only what sets them is run of the script.
      const start = entries["/usr/local/lib/groundwork/start"]!.content!;
      const lines = /^setting\(\)[^]*?(?=^echo 1 > \/proc\/sys\/net)/m.exec(start)![0];
      const existing = lines.replace(/^\[ "\$\(cat (\S+)\)" /gm, '[ ! -e $1 ] || [ "$(cat $1)" ');
      for (let runs = 0; runs < 2; runs++) {
        const done = spawnSync("sh", ["-eu"], { input: here(existing), encoding: "utf8" });
        assert.equal(done.status, 0, done.stderr);
      }
      assert.equal(fs.readFileSync(proc("vm.overcommit_memory"), "utf8"), "1\n");
      assert.equal(fs.readFileSync(proc("fs.inotify.max_user_instances"), "utf8"), "8192\n");
      assert.deepEqual(fs.readdirSync(path.join(folder, "kept")).sort(), [
        "fs.inotify.max_user_instances",
        "vm.overcommit_memory",
      ]);
      assert.equal(spawnSync("sh", ["-eu"], { input: here(restoreKernel) }).status, 0);
      for (const [key, value] of Object.entries(before)) assert.equal(fs.readFileSync(proc(key), "utf8"), `${value}\n`);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  it("is an archive with an identity for a new machine, and none for one that has it", async () => {
    const names = async (isNew: boolean) => {
      const found: string[] = [];
      const reader = extract();
      reader.on("entry", ({ name }, content, next) => {
        found.push(name);
        content.on("end", next).resume();
      });
      seedArchive(spec, "", isNew).pipe(reader);
      await once(reader, "finish");
      return found;
    };
    assert.ok((await names(true)).includes("etc/machine-id"));
    assert.ok(!(await names(false)).includes("etc/machine-id"));
  });
});

describe("preflight of a docker target", () => {
  const fine: EngineFacts = {
    info: { OSType: "linux", MemTotal: 16 * 2 ** 30, DockerRootDir: "/d", SecurityOptions: ["name=seccomp"] },
    ...{ networks: [], takenPorts: [], strangers: [] },
  };
  const problems = (change: Partial<EngineFacts>, more: object = {}) =>
    dockerProblems(settings(more), { ...fine, ...change }, { stack: "dev" });

  it("has nothing to say of an engine that will do", () => assert.deepEqual(problems({}), []));

  const messages: [string, Partial<EngineFacts>, RegExp][] = [
    ["an engine that does not run", { silent: "no socket" }, /^the Docker engine does not answer: no socket; start it/],
    ["containers of Windows", { info: { OSType: "windows" } }, /switch it to Linux containers/],
    ["a rootless engine", { info: { SecurityOptions: ["name=rootless"] } }, /^the Docker engine is rootless/],
    ["too little memory", { info: { MemTotal: 2 ** 30 } }, /has 1\.0 GiB of memory, and 1 machine\(s\) need 1\.5 GiB/],
    ["too little disk", { freeDisk: 2 ** 30 }, /^1\.0 GiB of disk are free at \/d, and 8\.0 GiB are needed/],
    ["a taken port", { takenPorts: ["127.0.0.1:443"] }, /^127\.0\.0\.1:443 is taken on this computer/],
    [
      "a network that this computer has",
      { networks: [{ cidr: "10.41.0.7/16", link: "tun0" }] },
      /^target\.network\.cidr 10\.41\.0\.0\/24 overlaps 10\.41\.0\.7\/16, which this computer has on tun0/,
    ],
    [
      "a container of the name",
      { strangers: ["groundwork-dev-server-1"] },
      /^the container groundwork-dev-server-1 exists/,
    ],
  ];
  for (const [what, change, message] of messages) {
    it(`tells of ${what}`, () => {
      const found = problems({ ...change, ...(change.info ? { info: { ...fine.info, ...change.info } } : {}) });
      assert.equal(found.length, 1, found.join("\n"));
      assert.match(found[0]!, message);
    });
  }

  it("tells an engine from one that is not up, and from another program of the name", () => {
    assert.equal(readInfo('{"ServerVersion":"28.2.2"}').silent, undefined);
    assert.equal(readInfo('{"ServerErrors":["Cannot connect"]}').silent, "Cannot connect");
    assert.match(readInfo('{"host":{},"version":{}}').silent!, /^`docker` is another program/);
  });

  it("tells of a network that the cluster itself uses", () =>
    assert.match(problems({}, { network: { cidr: "10.42.7.0/24" } })[0]!, /which the cluster uses for pods/));
});

describe("an SSH server behind a forwarded port", () => {
  it("is not taken for one that answers while only the forwarder does", async () => {
    // A stand-in of the engine's proxy before the machine is up: it takes the connection and hangs up.
    const server = net.createServer((socket) => socket.end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as net.AddressInfo;
    assert.equal(await sshBanner("127.0.0.1", port), undefined);
    server.close();
  });
});
