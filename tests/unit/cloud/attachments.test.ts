import assert from "node:assert/strict";
import { type TestCloud, makeServer, testCloud } from "./api-client";

describe("cloud emulator: volumes and primary addresses", () => {
  let t: TestCloud;
  const show = async (id: number) => (await t.call("GET", `/servers/${id}`)).body.server;
  const act = (id: number, action: string, body: object = {}) =>
    t.done("POST", `/servers/${id}/actions/${action}`, body);
  beforeEach(async () => {
    t = await testCloud();
  });
  afterEach(() => t.end());

  it("attaches volumes in their location only, grows them, and deletes them when they are free", async () => {
    const id = await makeServer(t, "a");
    await t.fails("invalid_input", "POST", "/volumes", { name: "v", size: 5, location: "fsn1" });
    await t.fails("invalid_input", "POST", "/volumes", { name: "v", size: 10 });
    const volume = (await t.done("POST", "/volumes", { name: "v", size: 10, server: id })).volume.id;
    const { linux_device, server, status } = (await t.call("GET", `/volumes/${volume}`)).body.volume;
    assert.deepEqual([linux_device, server, status], [`/dev/disk/by-id/scsi-0HC_Volume_${volume}`, id, "available"]);
    await t.fails("volume_already_attached", "POST", `/volumes/${volume}/actions/attach`, { server: id });
    await t.fails("service_error", "DELETE", `/volumes/${volume}`);
    await t.fails("invalid_input", "POST", `/volumes/${volume}/actions/resize`, { size: 10 });
    await t.done("POST", `/volumes/${volume}/actions/resize`, { size: 20 });
    await t.done("POST", `/volumes/${volume}/actions/detach`);
    const elsewhere = await makeServer(t, "b", { location: "nbg1" });
    await t.fails("invalid_input", "POST", `/volumes/${volume}/actions/attach`, { server: elsewhere });
    await t.done("POST", `/volumes/${volume}/actions/change_protection`, { delete: true });
    await t.fails("protected", "DELETE", `/volumes/${volume}`);
    await t.done("POST", `/volumes/${volume}/actions/change_protection`, { delete: false });
    await t.done("DELETE", `/volumes/${volume}`);
  });

  it("assigns primary addresses to stopped servers, and keeps those that are not to be deleted", async () => {
    const make = { name: "ip", type: "ipv4", assignee_type: "server", location: "fsn1" };
    const { primary_ip } = await t.done("POST", "/primary_ips", make);
    const at = `/primary_ips/${primary_ip.id}`;
    const id = await makeServer(t, "a", { public_net: { enable_ipv4: true, ipv4: primary_ip.id, enable_ipv6: false } });
    assert.deepEqual([(await show(id)).public_net.ipv4.ip, (await show(id)).public_net.ipv6], [primary_ip.ip, null]);
    await t.fails("must_be_unassigned", "DELETE", at);
    await t.fails("server_not_stopped", "POST", `${at}/actions/unassign`);
    await t.done("DELETE", `/servers/${id}`);
    const kept = (await t.call("GET", at)).body.primary_ip;
    assert.equal(kept.assignee_id, null);
    const other = await makeServer(t, "b", { public_net: { enable_ipv4: false, enable_ipv6: true } });
    await t.fails("server_not_stopped", "POST", `${at}/actions/assign`, {
      assignee_id: other,
      assignee_type: "server",
    });
    await act(other, "poweroff");
    await t.done("POST", `${at}/actions/assign`, { assignee_id: other, assignee_type: "server" });
    assert.equal((await show(other)).public_net.ipv4.ip, primary_ip.ip);
    await t.done("POST", `${at}/actions/unassign`);
    await t.done("DELETE", at);
  });
});
