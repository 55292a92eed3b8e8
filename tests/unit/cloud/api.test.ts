import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { type TestCloud, makeNetwork, makeServer, publicKey, testCloud } from "./api-client";

describe("cloud emulator: the API at large", () => {
  let t: TestCloud;
  beforeEach(async () => {
    t = await testCloud();
  });
  afterEach(() => t.end());

  it("refuses a wrong token and unknown paths", async () => {
    const { status, body } = await t.call("GET", "/servers", undefined, "wrong");
    assert.deepEqual([status, body.error.code], [401, "unauthorized"]);
    assert.equal((await t.fails("not_found", "GET", "/nothing")).status, 404);
    assert.equal((await t.fails("not_found", "GET", "/servers/4711")).status, 404);
    assert.equal((await t.fails("method_not_allowed", "DELETE", "/servers")).status, 405);
  });

  it("refuses what is no JSON object", async () => {
    const answer = await fetch(`${t.cloud.endpoint}/networks`, {
      method: "POST",
      body: "{",
      headers: { Authorization: `Bearer ${t.cloud.token}` },
    });
    assert.equal(answer.status, 400);
    assert.equal(((await answer.json()) as any).error.code, "json_error");
  });

  it("names the field of a bad input", async () => {
    const error = await t.fails("invalid_input", "POST", "/networks", { name: "n", ip_range: "10.0.0.1/16" });
    assert.equal(error.status, 422);
    assert.equal(error.details.fields[0].name, "ip_range");
    assert.match(error.message, /ip_range/);
  });

  it("gives pages of at most 50, and says which", async () => {
    for (let i = 0; i < 60; i++) await t.done("POST", "/ssh_keys", { name: `key-${i}`, public_key: publicKey() });
    const first = (await t.call("GET", "/ssh_keys")).body;
    assert.equal(first.ssh_keys.length, 25);
    assert.deepEqual(first.meta.pagination, {
      page: 1,
      per_page: 25,
      previous_page: null,
      next_page: 2,
      last_page: 3,
      total_entries: 60,
    });
    const { body, headers } = await t.call("GET", "/ssh_keys?per_page=100&page=2");
    assert.equal(body.ssh_keys.length, 10);
    assert.equal(body.meta.pagination.per_page, 50);
    assert.match(headers.get("Link")!, /page=1.*rel="prev"/);
    await t.fails("invalid_input", "GET", "/ssh_keys?page=0");
  });

  it("sorts and filters lists by name and labels", async () => {
    const kinds: Record<string, string>[] = [{ env: "prod", tier: "db" }, { env: "prod" }, { env: "test" }, {}];
    for (const [i, labels] of kinds.entries()) {
      await t.done("POST", "/placement_groups", { name: `g${i}`, type: "spread", labels });
    }
    const found = async (query: string) =>
      (await t.call("GET", `/placement_groups?${query}`)).body.placement_groups.map((g: any) => g.name).join();
    const selected = (text: string) => found(`label_selector=${encodeURIComponent(text)}`);
    assert.equal(await found("sort=name:desc"), "g3,g2,g1,g0");
    assert.equal(await found("name=g2"), "g2");
    assert.equal(await selected("env=prod"), "g0,g1");
    assert.equal(await selected("env==prod,tier!=db"), "g1");
    assert.equal(await selected("env!=prod"), "g2,g3");
    assert.equal(await selected("env"), "g0,g1,g2");
    assert.equal(await selected("!env"), "g3");
    assert.equal(await selected("env in (prod, test)"), "g0,g1,g2");
    assert.equal(await selected("env notin (prod,stage)"), "g2,g3");
    assert.equal(await selected("env in (prod),!tier"), "g1");
    await t.fails("invalid_input", "GET", "/placement_groups?label_selector=a%20b");
    await t.fails("invalid_input", "GET", "/placement_groups?sort=size");
  });

  it("wants labels in the documented form and unique names", async () => {
    const make = (name: string, labels: object) => ({ name, type: "spread", labels });
    await t.fails("invalid_input", "POST", "/placement_groups", make("a", { "-a": "b" }));
    await t.fails("invalid_input", "POST", "/placement_groups", make("a", { a: "b c" }));
    await t.done("POST", "/placement_groups", make("a", { "example.com/a": "", b: "c_d.e-f" }));
    assert.equal((await t.fails("uniqueness_error", "POST", "/placement_groups", make("a", {}))).status, 409);
  });

  it("changes names and labels by PUT", async () => {
    const id = await makeNetwork(t);
    const other = await makeNetwork(t, "other");
    const { network } = await t.done("PUT", `/networks/${id}`, { name: "new", labels: { a: "b" } });
    assert.deepEqual([network.name, network.labels], ["new", { a: "b" }]);
    await t.fails("uniqueness_error", "PUT", `/networks/${other}`, { name: "new" });
  });

  it("limits requests, says so in headers, and lets them come back", async () => {
    await t.again({ rateLimit: 36_000 });
    const { headers } = await t.call("GET", "/locations");
    assert.equal(headers.get("RateLimit-Limit"), "36000");
    assert.ok(Number(headers.get("RateLimit-Reset")) >= Math.floor(Date.now() / 1000));
    t.cloud.fail({ kind: "rateLimit", left: 1 });
    assert.equal((await t.call("GET", "/locations")).headers.get("RateLimit-Remaining"), "0");
    assert.equal((await t.fails("rate_limit_exceeded", "GET", "/locations")).status, 429);
    // At 36,000 an hour one comes back in a tenth of a second.
    await new Promise((done) => setTimeout(done, 250));
    assert.equal((await t.call("GET", "/locations")).status, 200);
  });

  it("counts requests by their pattern", async () => {
    const id = await makeNetwork(t);
    await t.call("GET", `/networks/${id}`);
    const { byPath, total } = t.cloud.requests();
    assert.equal(byPath["GET /networks/{id}"], 1);
    assert.equal(byPath["POST /networks"], 1);
    assert.ok(total >= 2);
  });

  it("has ordered faults hit once: failures, lost answers, failed actions, timeouts", async () => {
    t.cloud.fail({ kind: "request", method: "GET", path: "/servers/*", status: 502, code: "bad_gateway" });
    const id = await makeServer(t, "a");
    assert.equal((await t.fails("bad_gateway", "GET", `/servers/${id}`)).status, 502);
    assert.equal((await t.call("GET", `/servers/${id}`)).status, 200);

    t.cloud.fail({ kind: "lostAnswer", method: "POST", path: "/placement_groups" });
    await assert.rejects(t.call("POST", "/placement_groups", { name: "g", type: "spread" }));
    await t.fails("uniqueness_error", "POST", "/placement_groups", { name: "g", type: "spread" });

    t.cloud.fail({ kind: "timeout", path: "/locations", seconds: 0.05 });
    await assert.rejects(t.call("GET", "/locations"));

    t.cloud.fail({ kind: "action", command: "stop_server", code: "action_failed" });
    const { action } = (await t.call("POST", `/servers/${id}/actions/poweroff`)).body;
    await t.cloud.settled();
    const ended = (await t.call("GET", `/actions/${action.id}`)).body.action;
    assert.deepEqual([ended.status, ended.error.code], ["error", "action_failed"]);
    assert.equal((await t.call("GET", `/servers/${id}`)).body.server.status, "running");
  });

  it("has quotas", async () => {
    t.cloud.fail({ kind: "quota", of: "networks", limit: 1 });
    await makeNetwork(t);
    const error = await t.fails("resource_limit_exceeded", "POST", "/networks", { name: "b", ip_range: "10.1.0.0/16" });
    assert.equal(error.status, 403);
  });

  it("comes back as it was, with the same token, port and running actions", async () => {
    await t.again({ latency: { actions: 300 } });
    const { server, action } = (
      await t.call("POST", "/servers", { name: "a", server_type: "cpx22", image: "debian-12", location: "fsn1" })
    ).body;
    assert.equal(server.status, "initializing");
    assert.equal(server.locked, true);
    const { endpoint, token } = t.cloud;
    await t.again();
    assert.deepEqual([t.cloud.endpoint, t.cloud.token], [endpoint, token]);
    await t.cloud.settled();
    assert.equal((await t.call("GET", `/actions/${action.id}`)).body.action.status, "success");
    const after = (await t.call("GET", `/servers/${server.id}`)).body.server;
    assert.deepEqual([after.status, after.locked, after.created], ["running", false, server.created]);
  });

  it("keeps its files from other users, and leaves no half-written state", async () => {
    await makeNetwork(t);
    for (const file of ["state.json", "endpoint.json"]) {
      assert.equal(fs.statSync(path.join(t.folder, file)).mode & 0o77, 0, file);
    }
    assert.deepEqual(fs.readdirSync(t.folder).sort(), ["endpoint.json", "state.json"]);
  });

  it("shows what the cloud offers", async () => {
    const types = (await t.call("GET", "/server_types?per_page=50")).body.server_types;
    const cpx22 = types.find((type: any) => type.name === "cpx22");
    assert.deepEqual([cpx22.cores, cpx22.memory, cpx22.architecture], [2, 4, "x86"]);
    assert.ok(Number(cpx22.prices[0].price_monthly.net) > 1);
    const images = (await t.call("GET", "/images?name=debian-12&architecture=arm")).body.images;
    assert.deepEqual(
      images.map((i: any) => i.architecture),
      ["arm"],
    );
    assert.equal((await t.call("GET", "/locations")).body.locations.length, 6);
    assert.equal((await t.call("GET", "/load_balancer_types")).body.load_balancer_types[0].name, "lb11");
    assert.equal((await t.call("GET", "/pricing")).body.pricing.currency, "EUR");
    assert.deepEqual((await t.call("GET", "/isos")).body.isos, []);
  });
});
