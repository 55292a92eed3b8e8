import * as assert from "node:assert/strict";
import type { CloudObject } from "../../../cli/cloud/api";
import { explainCloudErrors } from "../../../cli/cloud-errors";
import { type Provider, subjects } from "../contract/subjects";
import { CloudProject, type Ended, ok } from "./project";

interface Server extends CloudObject {
  status: string;
  labels: Record<string, string>;
  server_type: { name: string };
  public_net: { ipv4: object | null };
  private_net: { ip: string }[];
}
interface Balancer extends CloudObject {
  public_net: { enabled: boolean };
  targets: { targets: object[] }[];
}

/** The shape of the project's prod: three servers, two agents, a gateway. */
const target = {
  driver: "hcloud",
  location: "fsn1",
  servers: { count: 3, type: "cpx32" },
  agents: [{ name: "work", count: 2, type: "cpx42" }],
  gateway: { type: "cpx12" },
  firewall: { adminSources: ["198.51.100.0/24"] },
};

/** Kinds of the API that a stack orders, and that nothing may be left of. */
const kinds = ["servers", "networks", "firewalls", "load_balancers", "primary_ips", "placement_groups", "ssh_keys"];

const pool = (name: string, type = "cpx42") => ({ name, count: 1, type });

/** Cost: an engine run of some seconds each, ten in all with each plugin; no machine, no cluster. */
for (const subject of subjects("hcloud" as Provider))
  describe(`orders at Hetzner Cloud, against the emulator without machines (${subject.kind})`, function () {
    this.timeout(240_000);
    const project = new CloudProject(subject);
    before(() => project.open());
    after(() => project.close());

    /** What the engine did to which resources of the cloud, but for what stayed as it was. */
    const done = ({ output }: Ended): string[] =>
      [...output.matchAll(/^ *(?:\+|-|~|\+-|-\+|\+\+|--)\s+(hcloud:\S+) (\S+) (created|updated|deleted|replaced)\b/gm)]
        .map(([, , name, what]) => `${what} ${name}`)
        .sort();
    const servers = () => project.api.list<Server>("/servers", "servers");

    it("are made with fewer than 300 requests, protected and private", async () => {
      Object.assign(project, { target, protect: true });
      ok(await project.up());
      const { total, byPath } = project.cloud.requests();
      assert.ok(total < 300, `${total} requests: ${JSON.stringify(byPath, null, 1)}`);
      process.stdout.write(`      ${total} requests\n`);
      for (const server of await servers()) {
        assert.deepEqual(server.protection, { delete: true, rebuild: true }, server.name);
        assert.equal(server.status, "running", server.name);
        assert.equal(server.public_net.ipv4 === null, server.name !== "prod-gateway", server.name);
        assert.equal(server.labels["groundwork-stack"], "prod");
      }
      assert.deepEqual(project.names("servers"), [
        ...["prod-gateway", "prod-server-1", "prod-server-2", "prod-server-3", "prod-work-1", "prod-work-2"],
      ]);
      for (const { id, name } of (await servers()).filter(({ name }) => name !== "prod-gateway")) {
        const { actions } = await project.api.get<{ actions: { id: number; command: string }[] }>(
          `/servers/${id}/actions`,
        );
        const order = actions.sort((a, b) => a.id - b.id).map(({ command }) => command);
        // It starts for the first time with its interface: there is no other way in or out.
        assert.deepEqual(order, ["create_server", "attach_to_network", "start_server", "change_protection"], name);
      }
      assert.deepEqual(project.names("primary_ips"), ["prod-gateway-ipv4", "prod-gateway-ipv6"]);
      const balancers = await project.api.list<Balancer>("/load_balancers", "load_balancers");
      const [door] = balancers.filter(({ name }) => name === "prod-api");
      assert.equal(door!.public_net.enabled, false);
      assert.equal(door!.targets[0]!.targets.length, 3);
    });

    it("are as they were when they are looked at again", async () => {
      const again = ok(await project.up("--refresh"));
      assert.deepEqual(done(again), []);
      assert.match(again.output, /\d+ unchanged/);
    });

    it("tell what to do where a type is sold out or a name is taken, and go on the next time", async () => {
      /** What a person is told of the one thing that fails; the engine begins nothing new after it. */
      const refused = async (): Promise<string> => {
        const ended = await project.up();
        assert.notEqual(ended.code, 0);
        const told = explainCloudErrors(project.errors());
        assert.equal(told.length, 1, ended.output);
        return told[0]!;
      };
      project.cloud.fail({ kind: "soldOut", type: "ccx13" });
      project.target = { ...target, agents: [...target.agents, pool("rare", "ccx13")] };
      assert.match(await refused(), /^hcloud-rare-1: Hetzner has none left/);

      project.cloud.fail({ kind: "soldOut", type: "ccx13", off: true });
      await project.api.change("POST", "/servers", { name: "prod-taken-1", server_type: "cpx22", image: "debian-12" });
      project.target = { ...target, agents: [...target.agents, pool("rare", "ccx13"), pool("taken")] };
      assert.match(await refused(), /^hcloud-taken-1: something of this name/);

      const [stranger] = (await servers()).filter(({ name }) => name === "prod-taken-1");
      await project.api.remove(`/servers/${stranger!.id}`);
      ok(await project.up());
      assert.deepEqual(
        project.names("servers").filter((name) => /rare|taken/.test(name)),
        ["prod-rare-1", "prod-taken-1"],
      );
    });

    it("keep what is not changed where pools change places and one goes", async () => {
      const before = new Map((await servers()).map(({ name, id }) => [name, id]));
      project.protect = false;
      ok(await project.up());
      project.target = { ...target, agents: [pool("taken"), ...target.agents] };
      const gone = ["hcloud-group-rare", "hcloud-rare-1", "hcloud-rare-1-host-key"];
      assert.deepEqual(
        done(ok(await project.up())),
        gone.filter((name) => !name.endsWith("key")).map((name) => `deleted ${name}`),
      );
      for (const { name, id } of await servers()) assert.equal(id, before.get(name), name);
    });

    it("bring another type to the machine that is there", async () => {
      const before = (await servers()).find(({ name }) => name === "prod-taken-1")!;
      project.target = { ...target, agents: [pool("taken", "cpx52"), ...target.agents] };
      assert.deepEqual(done(ok(await project.up())), ["updated hcloud-taken-1"]);
      const after = (await servers()).find(({ name }) => name === "prod-taken-1")!;
      assert.deepEqual([after.id, after.server_type.name, after.status], [before.id, "cpx52", "running"]);
    });

    it("make a machine that is lost anew, at its address, and touch nothing else", async () => {
      const before = (await servers()).find(({ name }) => name === "prod-server-2")!;
      await project.api.remove(`/servers/${before.id}`);
      assert.deepEqual(done(ok(await project.up("--refresh"))), ["created hcloud-server-2"]);
      const after = (await servers()).find(({ name }) => name === "prod-server-2")!;
      assert.notEqual(after.id, before.id);
      assert.equal(after.private_net[0]!.ip, before.private_net[0]!.ip);
    });

    it("tell of a token that is refused", async () => {
      const refused = await project.start({ HCLOUD_TOKEN: "x".repeat(64) }, ...project.upArgs("--refresh")).ended;
      assert.notEqual(refused.code, 0);
      const told = explainCloudErrors(project.errors());
      assert.equal(told.length, 1, refused.output);
      assert.match(told[0]!, /refuses the token/);
    });

    it("leave nothing", async () => {
      ok(await project.pulumi("destroy", "--yes", "--skip-preview"));
      assert.deepEqual(Object.fromEntries(kinds.map((kind) => [kind, project.names(kind)])), {
        ...Object.fromEntries(kinds.map((kind) => [kind, []])),
      });
    });
  });
