import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import type { PlannedServer } from "../../../components/host/hcloud/plan";
import { CloudApi } from "../../../cli/cloud/api";
import { liftLocks } from "../../../cli/cloud/locks";
import { deleteOrphans, findOrphans, type Known, type Orphan, orphanTable } from "../../../cli/cloud/orphans";
import { letGo } from "../../../cli/cloud/servers";
import { idsOf } from "../../../cli/cloud/state";
import { costSchema, pricesOf } from "../../../stacks/cost";
import { type Emulator, startEmulator } from "../../../standins/cloud/main";

// Against the emulator of the cloud's API with objects on paper: a test double of the API, not the API.

const prices = pricesOf(costSchema.parse({}));
const ours = { "groundwork-stack": "prod", "managed-by": "groundwork" };

describe("orphans in the cloud", function () {
  this.timeout(60_000);
  let folder: string;
  let cloud: Emulator;
  let api: CloudApi;
  const ids: Record<string, number> = {};

  /** Makes an object and keeps its id by its name. */
  async function make(route: string, key: string, body: { name: string; [field: string]: unknown }): Promise<number> {
    const answer = await api.change<Record<string, { id: number }>>("POST", route, body);
    return (ids[body.name] = answer[key]!.id);
  }
  const server = (name: string, labels: object, network?: number) =>
    make("/servers", "server", {
      name,
      server_type: "cpx22",
      image: "debian-12",
      location: "fsn1",
      labels,
      ...(network && { networks: [network] }),
    });
  const balancer = (name: string, labels: object, network?: number) =>
    make("/load_balancers", "load_balancer", {
      name,
      load_balancer_type: "lb11",
      location: "fsn1",
      algorithm: { type: "round_robin" },
      labels,
      ...(network && { network }),
    });
  const volume = (name: string, labels: object) =>
    make("/volumes", "volume", {
      name,
      size: 20,
      location: "fsn1",
      labels,
      ...(name === "attached" && { server: ids["server-1"] }),
    });

  before(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "orphans-"));
    cloud = await startEmulator({ backend: "paper", folder });
    api = new CloudApi(
      { token: cloud.token, endpoint: cloud.endpoint },
      { sleep: () => new Promise((r) => setTimeout(r, 5)) },
    );
    const subnets = [{ type: "cloud", ip_range: "10.0.1.0/24", network_zone: "eu-central" }];
    const net = await make("/networks", "network", { name: "prod", ip_range: "10.0.0.0/16", labels: ours, subnets });
    const other = await make("/networks", "network", { name: "other", ip_range: "10.0.0.0/16", subnets });
    await server("server-1", ours, net);
    await server("server-2", ours, net);
    await server("stranger", { "groundwork-stack": "dev" });
    await balancer("of-graph", ours, net);
    await balancer("of-service", { "hcloud-ccm/service-uid": "uid-1" }, net);
    await balancer("of-recorded-service", { "hcloud-ccm/service-uid": "uid-2" });
    await balancer("of-other-cluster", { "hcloud-ccm/service-uid": "uid-9" }, other);
    const csi = { "managed-by": "csi-driver" };
    await volume("labelled", { ...csi, "groundwork-stack": "prod" });
    await volume("attached", { ...csi, "groundwork-stack": "prod" });
    await volume("recorded", csi);
    await volume("kept", { ...csi, "groundwork-stack": "prod" });
    await volume("of-another", csi);
    await volume("bare", {});
    await make("/firewalls", "firewall", {
      name: "fw",
      labels: ours,
      rules: [],
      apply_to: [{ type: "server", server: { id: ids["server-2"] } }],
    });
    await api.change("POST", `/servers/${ids["server-1"]}/actions/change_protection`, { delete: true, rebuild: true });
  });

  after(async () => {
    await cloud.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  const record = () => ({
    networks: [],
    services: ["uid-2"],
    volumes: [
      { id: ids["recorded"]!, claim: "app/data", retain: false },
      { id: ids["kept"]!, claim: "app/archive", retain: true },
    ],
  });
  const find = (known: Partial<Known> = {}): Promise<Orphan[]> =>
    findOrphans(api, { stack: "prod", inState: new Map<string, Set<string>>(), record: record(), ...known }, prices);
  const names = (orphans: Orphan[]) => orphans.map(({ object }) => object.name).sort();
  const state = (...held: [string, string][]) =>
    idsOf({
      deployment: {
        resources: held.map(([type, name]) => ({ type: `hcloud:index/${type}`, id: String(ids[name]) })),
      },
    });

  it("are what has the stack's label and is not in its state", async () => {
    const inState = state(
      ["network:Network", "prod"],
      ["server:Server", "server-1"],
      ["loadBalancer:LoadBalancer", "of-graph"],
      ["firewall:Firewall", "fw"],
    );
    // The cluster can't be asked, and there is a server: what it made is in use.
    assert.deepEqual(names(await find({ inState })), ["server-2"]);
  });

  it("are what a living cluster no longer uses", async () => {
    const inState = state(
      ["network:Network", "prod"],
      ["server:Server", "server-1"],
      ["server:Server", "server-2"],
      ["loadBalancer:LoadBalancer", "of-graph"],
      ["firewall:Firewall", "fw"],
    );
    const live = { services: new Set(["uid-1"]), volumes: new Set([ids["labelled"]!, ids["kept"]!]) };
    assert.deepEqual(names(await find({ inState, live })), ["attached", "of-recorded-service", "recorded"]);
  });

  it("are all of it once the stack is gone, with reason and price; nothing without the label or a record is among them", async () => {
    const found = await find();
    assert.deepEqual(names(found), [
      "attached",
      "fw",
      "kept",
      "labelled",
      "of-graph",
      "of-recorded-service",
      "of-service",
      "prod",
      "recorded",
      "server-1",
      "server-2",
    ]);
    const text = orphanTable("prod", found, prices);
    assert.match(text, /^11 objects of stack prod still in the cloud:/);
    assert.match(text, /server +server-1 .* EUR 19\.99 +label groundwork-stack=prod/);
    assert.match(
      text,
      /load balancer +of-service .* EUR 7\.49 +in the stack's network, made by the cloud controller manager/,
    );
    assert.match(text, /of-recorded-service .* Service uid-2 of the cluster/);
    assert.match(text, /volume +recorded .* EUR 1\.14 +claim app\/data of the cluster/);
    assert.match(text, /kept .*; the claim asked to keep it/);
    assert.match(text, /together EUR 67\.01 a month, net, by the prices of 2026-09-28/);
    assert.deepEqual(names(found.filter(({ ofCluster }) => ofCluster)), [
      "attached",
      "labelled",
      "of-recorded-service",
      "of-service",
      "recorded",
    ]);
  });

  it("keep the locks of what the state does not hold; a destroy takes them off the rest", async () => {
    await api.change("POST", `/volumes/${ids["bare"]}/actions/change_protection`, { delete: true });
    assert.equal(await liftLocks(api, state(["server:Server", "server-1"], ["server:Server", "server-2"])), 1);
    const locked = async (route: string) =>
      (await api.list(`/${route}`, route)).filter(({ protection }) => protection?.delete).map(({ name }) => name);
    assert.deepEqual([await locked("servers"), await locked("volumes")], [[], ["bare"]]);
    assert.equal(await liftLocks(api, new Map([["hcloud:index/server:Server", new Set(["999999"])]])), 0);
    await api.change("POST", `/servers/${ids["server-1"]}/actions/change_protection`, { delete: true, rebuild: true });
  });

  it("lose their locks before an update when the settings have no such machine any more, and no others do", async () => {
    const lock = (name: string, on: boolean) =>
      api.change("POST", `/servers/${ids[name]}/actions/change_protection`, { delete: on, rebuild: on });
    await lock("server-2", true);
    const server = (name: string) => ({
      type: "hcloud:index/server:Server",
      urn: name,
      id: String(ids[name]),
      inputs: { name },
    });
    const deployment = { resources: [server("server-1"), server("server-2")] };
    await letGo(api, { deployment }, { nodes: [{ name: "server-1" } as PlannedServer] });
    const servers = await api.list("/servers", "servers");
    assert.deepEqual(
      servers.filter(({ protection }) => protection?.delete).map(({ name }) => name),
      ["server-1"],
    );
  });

  it("are deleted through locks and attachments, and nothing else is", async () => {
    const failed = await deleteOrphans(api, await find());
    assert.deepEqual(failed, []);
    assert.deepEqual(names(await find()), []);
    const left: string[] = [];
    for (const route of ["servers", "load_balancers", "volumes", "networks", "firewalls"]) {
      left.push(...(await api.list(`/${route}`, route)).map(({ name }) => name));
    }
    assert.deepEqual(left.sort(), ["bare", "of-another", "of-other-cluster", "other", "stranger"]);
    assert.equal(orphanTable("prod", [], prices), "nothing of stack prod is left in the cloud");
    assert.deepEqual(await deleteOrphans(api, []), []);
  });
});
