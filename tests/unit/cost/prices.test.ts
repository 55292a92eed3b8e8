import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { costSchema, itemsOf, ownTable, pricesOf } from "../../../stacks/cost";
import { priceNames } from "../../../stacks/cost/names";

const euros = pricesOf(costSchema.parse({}));
const server = (serverType: string, more: Record<string, unknown> = {}) => ({
  type: "hcloud:index/server:Server",
  name: "server-1",
  inputs: { serverType, location: "fsn1", publicNets: [{ ipv4Enabled: false }], ...more },
});

describe("the price table", () => {
  const table = JSON.parse(fs.readFileSync(ownTable, "utf8")) as {
    date: string;
    sources: string[];
    monthly: Record<string, Record<string, Record<string, number>>>;
  };

  it("has a date that is not ahead, and says for each part where it is from", () => {
    assert.ok(table.date <= new Date().toISOString().slice(0, 10), table.date);
    for (const source of table.sources) assert.match(source, /https:\/\/.* \(.*read \d{4}-\d\d-\d\d|\d{4}-\d\d-\d\d/);
  });

  it("has every type that can be bought in Europe, and names that settings may use", () => {
    const types =
      "cx23 cx33 cx43 cx53 cax11 cax21 cax31 cax41 cpx22 cpx32 cpx42 cpx52 cpx62 ccx13 ccx23 ccx33 ccx43 lb11";
    const missing = types.split(" ").filter((type) => !(euros.monthly(type, { location: "nbg1" })! > 0));
    assert.deepEqual(missing, []);
    const names = Object.values(table.monthly).flatMap((groups) => Object.values(groups).flatMap(Object.keys));
    assert.deepEqual(
      names.filter((name) => !priceNames.test(name)),
      [],
    );
  });

  it("tells places apart, by location, data center and zone", () => {
    const at = (place: { location: string } | { zone: string }) => euros.monthly("cpx22", place);
    assert.equal(at({ location: "fsn1" }), 19.49);
    assert.equal(at({ location: "fsn1-dc14" }), 19.49);
    assert.equal(at({ zone: "eu-central" }), 19.49);
    assert.equal(at({ location: "sin" }), 26.49);
    assert.equal(at({ location: "ash" }), undefined);
  });

  it("gives way to the stack's own prices, and to a file of the stack's", () => {
    const own = pricesOf(costSchema.parse({ prices: { cpx22: 7.99 } }));
    assert.equal(own.monthly("cpx22", { location: "ash" }), 7.99);
    assert.equal(own.changed, true);
    assert.equal(euros.changed, false);
    assert.equal(pricesOf(costSchema.parse({ currency: "USD" })).monthly("ccx23", { location: "ash" }), 102.99);

    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "prices-"));
    const file = path.join(folder, "prices.json");
    const monthly = { EUR: { any: { cpx22: 1 } } };
    fs.writeFileSync(file, JSON.stringify({ ...table, monthly }));
    const fromFile = pricesOf(costSchema.parse({ priceFile: file }));
    assert.equal(fromFile.monthly("cpx22", { location: "hel1" }), 1);
    assert.throws(
      () => pricesOf(costSchema.parse({ priceFile: file, currency: "USD" })),
      /has no prices in USD: it has EUR/,
    );
    fs.writeFileSync(file, JSON.stringify({ ...table, date: "yesterday" }));
    assert.throws(() => pricesOf(costSchema.parse({ priceFile: file })), /is no price table: date: must be a date/);
    fs.rmSync(folder, { recursive: true });
    assert.throws(() => pricesOf(costSchema.parse({ priceFile: file })), /prices\.json cannot be read/);
  });

  it("knows what an hour costs", () => {
    assert.equal(itemsOf(server("cpx32"), euros)[0]?.hourly, 0.0569);
  });
});

describe("settings of cost", () => {
  it("refuse names that no price can have, and prices below zero", () => {
    for (const [prices, says] of [
      [{ "big server": 1 }, /must be a server or load balancer type/],
      [{ cx23: -1 }, /must be a monthly price/],
    ] as const) {
      const parsed = costSchema.safeParse({ prices });
      assert.ok(!parsed.success);
      assert.match(parsed.error.message, says);
    }
  });
});

describe("what a resource costs", () => {
  const amounts = (type: string, inputs: Record<string, unknown>) =>
    itemsOf({ type: `hcloud:index/${type}`, name: "x", inputs }, euros).map(({ what, monthly }) => [what, monthly]);

  it("is a server's price, its backups and its address", () => {
    const inputs = { serverType: "ccx13", location: "hel1", backups: true };
    assert.deepEqual(amounts("server:Server", inputs), [
      ["server ccx13 in hel1", 42.99],
      ["backups of it (20 %)", 8.6],
      ["public IPv4 address in hel1", 0.5],
    ]);
    const named = { ...inputs, backups: false, publicNets: [{ ipv4Enabled: true, ipv4: 17 }] };
    assert.deepEqual(amounts("server:Server", named), [["server ccx13 in hel1", 42.99]]);
  });

  it("is by size for volumes and by version for addresses", () => {
    assert.deepEqual(amounts("volume:Volume", { size: 100, location: "fsn1" }), [["volume of 100 GB in fsn1", 5.72]]);
    assert.deepEqual(amounts("primaryIp:PrimaryIp", { type: "ipv6" }), []);
    assert.deepEqual(amounts("primaryIp:PrimaryIp", { type: "ipv4" }), [["primary IPv4 address", 0.5]]);
    assert.deepEqual(amounts("floatingIp:FloatingIp", { type: "ipv6", homeLocation: "fsn1" })[0]?.[1], 1);
    assert.deepEqual(amounts("loadBalancer:LoadBalancer", { loadBalancerType: "lb11", networkZone: "eu-central" }), [
      ["load balancer lb11 in eu-central", 7.49],
    ]);
    assert.equal(amounts("snapshot:Snapshot", { imageSize: 10 })[0]?.[1], 0.14);
  });

  it("is nothing for networks and firewalls, and for other providers", () => {
    for (const type of ["network:Network", "firewall:Firewall", "placementGroup:PlacementGroup", "sshKey:SshKey"]) {
      assert.deepEqual(amounts(type, {}), []);
    }
    assert.deepEqual(itemsOf({ type: "kubernetes:core/v1:Pod", name: "x", inputs: {} }, euros), []);
  });

  it("is never silently nothing where the price is not known", () => {
    for (const [type, inputs, why] of [
      [
        "server:Server",
        { serverType: "cx99", location: "fsn1", publicNets: [{ ipv4Enabled: false }] },
        /no price in EUR for cx99 in fsn1/,
      ],
      [
        "server:Server",
        { serverType: "ccx13", location: "mars1", publicNets: [{ ipv4Enabled: false }] },
        /for ccx13 in mars1/,
      ],
      ["server:Server", { serverType: "04da6b54-80e4-46f7-96ec-b56ff0331ba9" }, /type is not known yet/],
      ["loadBalancer:LoadBalancer", { loadBalancerType: "lb31", location: "fsn1" }, /for lb31/],
      ["volume:Volume", {}, /size is not known yet/],
      ["snapshot:Snapshot", {}, /size is known once it is made \(EUR 0\.0143 a GB\)/],
      ["storageBox:StorageBox", {}, /does not know this kind/],
    ] as const) {
      const [item] = itemsOf({ type: `hcloud:index/${type}`, name: "x", inputs }, euros);
      assert.equal(item?.monthly, undefined, type);
      assert.match(item?.why ?? "", why);
    }
  });
});
