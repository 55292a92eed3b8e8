import * as assert from "node:assert/strict";
import type { CloudObject } from "../../../cli/cloud/api";
import { type Provider, subjects } from "../contract/subjects";
import { CloudProject, ok } from "./project";

interface Placed extends CloudObject {
  datacenter?: { location: { name: string } };
  location?: { name: string };
  size?: number;
  server?: number | null;
}
interface Server extends Placed {
  server_type: { name: string; architecture: string };
  public_net: { ipv4: object | null };
  backup_window: string | null;
}
interface Firewall extends CloudObject {
  rules: { direction: string; protocol: string; port: string | null; source_ips: string[] }[];
}
interface Balancer extends CloudObject {
  public_net: { enabled: boolean };
}

/** Everything that the project's own stacks leave at its default: public machines of ARM in three places, volumes, snapshots. */
const target = {
  driver: "hcloud",
  location: "nbg1",
  privateNodes: false,
  servers: { count: 3, type: "cax21", locations: ["nbg1", "fsn1", "hel1"] },
  agents: [{ name: "store", count: 1, type: "cpx42", location: "hel1", volume: 20, backups: true }],
  api: { exposure: "public" },
  firewall: { adminSources: ["198.51.100.0/24"], wireguardPort: 51820 },
};

/** Cost: an engine run of some seconds each, five in all with each plugin; no machine, no cluster. */
for (const subject of subjects("hcloud" as Provider))
  describe(`a stack of public machines, against the emulator without machines (${subject.kind})`, function () {
    this.timeout(240_000);
    const project = new CloudProject(subject);
    before(() => project.open());
    after(() => project.close());

    const place = ({ datacenter, location }: Placed) => (datacenter?.location ?? location)?.name;

    it("stands in three places, on two kinds of processor, with a volume", async () => {
      project.target = target;
      ok(await project.up());
      const servers = await project.api.list<Server>("/servers", "servers");
      assert.deepEqual(servers.map((one) => [one.name, place(one), one.server_type.architecture]).sort(), [
        ["prod-server-1", "nbg1", "arm"],
        ["prod-server-2", "fsn1", "arm"],
        ["prod-server-3", "hel1", "arm"],
        ["prod-store-1", "hel1", "x86"],
      ]);
      for (const { name, public_net, backup_window } of servers) {
        assert.ok(public_net.ipv4, `${name} has no public address`);
        assert.equal(backup_window !== null, name === "prod-store-1", `${name} with backups: ${backup_window}`);
      }
      const [volume, ...others] = await project.api.list<Placed>("/volumes", "volumes");
      assert.deepEqual(others, []);
      assert.deepEqual([place(volume!), volume!.size], ["hel1", 20]);
      assert.equal(volume!.server, servers.find(({ name }) => name === "prod-store-1")!.id);
    });

    it("lets in the networks that are named, and everybody to what is for everybody", async () => {
      const rules = (await project.api.list<Firewall>("/firewalls", "firewalls")).flatMap((one) => one.rules);
      const open = rules.filter(({ direction }) => direction === "in");
      const sources = (protocol: string, port: string) =>
        open.filter((rule) => rule.protocol === protocol && rule.port === port).flatMap((rule) => rule.source_ips);
      for (const port of ["22", "6443"])
        assert.deepEqual([...new Set(sources("tcp", port))], ["198.51.100.0/24"], port);
      assert.deepEqual(sources("udp", "51820").sort(), ["0.0.0.0/0", "::/0"]);
      const anyone = open.filter(({ source_ips }) => source_ips.includes("0.0.0.0/0"));
      assert.deepEqual([...new Set(anyone.map(({ protocol, port }) => `${protocol} ${port}`))].sort(), [
        ...["icmp null", "tcp 443", "tcp 80", "udp 51820"],
      ]);
      const balancers = await project.api.list<Balancer>("/load_balancers", "load_balancers");
      assert.deepEqual(balancers.map(({ name, public_net }) => [name, public_net.enabled]).sort(), [
        ["prod-api", true],
        ["prod-ingress", true],
      ]);
    });

    it("is as it was when it is looked at again", async () => {
      assert.match(ok(await project.up("--refresh", "--expect-no-changes")).output, /unchanged/);
    });

    it("takes a snapshot of every machine under a name, and lets a volume grow where it is", async () => {
      const [before] = await project.api.list<Placed>("/volumes", "volumes");
      const [store] = target.agents;
      project.target = { ...target, agents: [{ ...store, volume: 30 }], snapshots: ["before-winter"] };
      ok(await project.up());
      const [after] = await project.api.list<Placed>("/volumes", "volumes");
      assert.deepEqual([after!.id, after!.size], [before!.id, 30]);
      assert.equal((await project.api.list("/images?type=snapshot", "images")).length, 4);
    });

    it("leaves nothing, its snapshots included", async () => {
      ok(await project.pulumi("destroy", "--yes", "--skip-preview"));
      for (const kind of ["servers", "networks", "firewalls", "load_balancers", "primary_ips", "volumes", "ssh_keys"])
        assert.deepEqual(project.names(kind), [], kind);
      assert.deepEqual(await project.api.list("/images?type=snapshot", "images"), []);
    });
  });
