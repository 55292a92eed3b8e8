import assert from "node:assert/strict";
import { type TestCloud, makeNetwork, makeServer, testCloud } from "./api-client";

describe("cloud emulator: firewalls and load balancers", () => {
  let t: TestCloud;
  beforeEach(async () => {
    t = await testCloud();
  });
  afterEach(() => t.end());

  /** What the backend was told last of a subject. */
  const told = (call: string): any[] =>
    JSON.parse(
      t.backend.calls
        .filter((c) => c.startsWith(`${call} `))
        .at(-1)!
        .slice(call.length + 1),
    );

  const ssh = { direction: "in", protocol: "tcp", port: "22", source_ips: ["203.0.113.0/24"] };

  it("applies firewalls by server and by label, also to servers that get the label later", async () => {
    const a = await makeServer(t, "a");
    const b = await makeServer(t, "b", { labels: { role: "web" } });
    const { firewall } = await t.done("POST", "/firewalls", {
      name: "f",
      rules: [ssh],
      apply_to: [
        { type: "server", server: { id: a } },
        { type: "label_selector", label_selector: { selector: "role=web" } },
      ],
    });
    const c = await makeServer(t, "c");
    await t.done("PUT", `/servers/${c}`, { labels: { role: "web" } });
    assert.deepEqual(told("setFirewall"), [
      c,
      [{ direction: "in", protocol: "tcp", port: "22", sourceIps: ["203.0.113.0/24"], destinationIps: [] }],
    ]);
    const shown = (await t.call("GET", `/firewalls/${firewall.id}`)).body.firewall;
    assert.deepEqual(
      shown.applied_to[1].applied_to_resources.map((r: any) => r.server.id),
      [b, c],
    );
    const at = `/firewalls/${firewall.id}/actions`;
    await t.fails("firewall_already_applied", "POST", `${at}/apply_to_resources`, {
      apply_to: [{ type: "server", server: { id: a } }],
    });
    await t.fails("firewall_managed_by_label_selector", "POST", `${at}/remove_from_resources`, {
      remove_from: [{ type: "server", server: { id: b } }],
    });
    await t.done("PUT", `/servers/${c}`, { labels: {} });
    assert.deepEqual(told("setFirewall"), [c, null]);
    await t.fails("resource_in_use", "DELETE", `/firewalls/${firewall.id}`);
    await t.done("POST", `${at}/remove_from_resources`, {
      remove_from: shown.applied_to.map(({ applied_to_resources: _, ...r }: any) => r),
    });
    await t.done("DELETE", `/firewalls/${firewall.id}`);
  });

  it("wants rules that make sense, and takes a change of them to the servers", async () => {
    const make = (rule: object) => ({ name: "f", rules: [rule] });
    await t.fails("invalid_input", "POST", "/firewalls", make({ ...ssh, port: undefined }));
    await t.fails("invalid_input", "POST", "/firewalls", make({ ...ssh, port: "70000" }));
    await t.fails("invalid_input", "POST", "/firewalls", make({ ...ssh, source_ips: [] }));
    await t.fails("invalid_input", "POST", "/firewalls", make({ ...ssh, source_ips: ["203.0.113.1"] }));
    await t.fails("invalid_input", "POST", "/firewalls", make({ ...ssh, protocol: "icmp" }));
    const { firewall } = await t.done("POST", "/firewalls", make(ssh));
    const id = await makeServer(t, "a", { firewalls: [{ firewall: firewall.id }] });
    await t.done("POST", `/firewalls/${firewall.id}/actions/set_rules`, { rules: [] });
    assert.deepEqual(told("setFirewall"), [id, []], "a firewall without rules lets nothing in");
  });

  it("refuses firewalls on servers without a public interface", async () => {
    const network = await makeNetwork(t);
    const id = await makeServer(t, "a", {
      networks: [network],
      public_net: { enable_ipv4: false, enable_ipv6: false },
    });
    const { firewall } = await t.done("POST", "/firewalls", { name: "f" });
    await t.fails("private_net_only_server", "POST", `/firewalls/${firewall.id}/actions/apply_to_resources`, {
      apply_to: [{ type: "server", server: { id } }],
    });
  });

  async function balancer(more: object = {}): Promise<number> {
    const body = { name: "lb", load_balancer_type: "lb11", location: "fsn1", ...more };
    return (await t.done("POST", "/load_balancers", body)).load_balancer.id;
  }
  const show = async (id: number) => (await t.call("GET", `/load_balancers/${id}`)).body.load_balancer;

  it("balances over private addresses of servers that a selector finds, without a public interface", async () => {
    const network = await makeNetwork(t);
    const id = await balancer();
    const at = `/load_balancers/${id}/actions`;
    const target = { type: "label_selector", label_selector: { selector: "role=server" }, use_private_ip: true };
    await t.fails("load_balancer_not_attached_to_network", "POST", `${at}/add_target`, target);
    await t.fails("load_balancer_not_attached_to_network", "POST", `${at}/disable_public_interface`);
    await t.done("POST", `${at}/attach_to_network`, { network, ip: "10.0.1.9" });
    await t.fails("load_balancer_already_attached", "POST", `${at}/attach_to_network`, { network });
    await t.done("POST", `${at}/add_target`, target);
    await t.fails("target_already_defined", "POST", `${at}/add_target`, target);
    await t.done("POST", `${at}/add_service`, { protocol: "tcp", listen_port: 6443, destination_port: 6443 });
    await t.done("POST", `${at}/disable_public_interface`);
    await makeServer(t, "a", { networks: [network], labels: { role: "server" } });
    const [spec] = told("setLoadBalancer");
    assert.deepEqual([spec.publicIpv4, spec.privateIps[0].ip], [undefined, "10.0.1.9"]);
    assert.deepEqual(
      spec.targets.map((x: any) => x.address),
      ["10.0.1.2"],
    );
    const shown = await show(id);
    assert.equal(shown.public_net.enabled, false);
    assert.deepEqual(shown.targets[0].targets[0].health_status, [{ listen_port: 6443, status: "healthy" }]);
    assert.equal(shown.services[0].health_check.protocol, "tcp");
    await t.fails("load_balancer_public_interface_disabled", "POST", `${at}/add_target`, {
      ...target,
      use_private_ip: false,
      label_selector: { selector: "x" },
    });
  });

  it("checks services: ports once, defaults by protocol, five with lb11", async () => {
    const id = await balancer();
    const at = `/load_balancers/${id}/actions`;
    const web = { protocol: "tcp", listen_port: 80, destination_port: 80, proxyprotocol: true };
    await t.done("POST", `${at}/add_service`, web);
    await t.fails("source_port_already_used", "POST", `${at}/add_service`, web);
    await t.fails("invalid_input", "POST", `${at}/add_service`, { protocol: "tcp", listen_port: 81 });
    await t.fails("invalid_input", "POST", `${at}/add_service`, { protocol: "https" });
    const health_check = {
      protocol: "http",
      port: 8080,
      interval: 10,
      timeout: 5,
      retries: 2,
      http: { path: "/healthz" },
    };
    await t.done("POST", `${at}/update_service`, { listen_port: 80, health_check });
    const [service] = (await show(id)).services;
    assert.deepEqual(
      [service.proxyprotocol, service.health_check.http.path, service.health_check.http.status_codes],
      [true, "/healthz", ["2??", "3??"]],
    );
    for (const port of [81, 82, 83, 84]) await t.done("POST", `${at}/add_service`, { ...web, listen_port: port });
    await t.fails("resource_limit_exceeded", "POST", `${at}/add_service`, { ...web, listen_port: 85 });
    await t.done("POST", `${at}/change_type`, { load_balancer_type: "lb21" });
    await t.done("POST", `${at}/add_service`, { ...web, listen_port: 85 });
    await t.fails("invalid_load_balancer_type", "POST", `${at}/change_type`, { load_balancer_type: "lb11" });
    await t.done("POST", `${at}/delete_service`, { listen_port: 80 });
    await t.fails("not_found", "POST", `${at}/delete_service`, { listen_port: 80 });
  });

  it("lets go of targets with their server, and of everything with itself", async () => {
    const id = await balancer({ algorithm: { type: "least_connections" } });
    const server = await makeServer(t, "a");
    const at = `/load_balancers/${id}/actions`;
    await t.done("POST", `${at}/add_target`, { type: "server", server: { id: server } });
    assert.deepEqual((await t.call("GET", `/servers/${server}`)).body.server.load_balancers, [id]);
    await t.fails("missing_ipv4", "POST", `${at}/add_target`, {
      type: "server",
      server: { id: await makeServer(t, "b", { public_net: { enable_ipv4: false, enable_ipv6: true } }) },
    });
    await t.done("DELETE", `/servers/${server}`);
    assert.deepEqual((await show(id)).targets, []);
    await t.fails("load_balancer_target_not_found", "POST", `${at}/remove_target`, {
      type: "server",
      server: { id: server },
    });
    await t.done("POST", `${at}/change_protection`, { delete: true });
    await t.fails("protected", "DELETE", `/load_balancers/${id}`);
    await t.done("POST", `${at}/change_protection`, { delete: false });
    await t.done("DELETE", `/load_balancers/${id}`);
    assert.match(t.backend.calls.at(-1)!, /^deleteLoadBalancer/);
  });
});
