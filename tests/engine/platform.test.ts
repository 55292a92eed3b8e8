import * as assert from "node:assert/strict";
import { Rehearsal } from "../../cli/rehearse";

/**
 * The whole platform of the stack `e2e`: the real engine with the policy pack against a real API server with the real custom
 * resource definitions. Nodes are simulated (stand-ins): objects are accepted and become ready, but nothing runs.
 */
describe("the platform on a real API server with simulated nodes", function () {
  this.timeout(5 * 60_000);
  this.bail(true);
  let rehearsal: Rehearsal;

  before(async () => {
    rehearsal = await Rehearsal.start("e2e");
  });
  after(() => rehearsal?.stop());

  const passes = async (verb: string, ...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await rehearsal.run(verb, args);
    assert.equal(code, 0, (stdout + stderr).slice(-4000));
    return stdout;
  };

  it("is planned, and keeps every policy", async () => {
    const planned = await passes("preview");
    assert.match(planned, /\+ \d+ to create/);
    assert.match(planned, /✅ groundwork/);
  });

  it("goes on after the engine was killed", async () => {
    const run = rehearsal.run("up");
    // The engine's own process; its plugins end with it.
    await new Promise((resolve) => setTimeout(resolve, 6000));
    const killed = rehearsal.engine.kill("SIGKILL");
    const { code } = await run;
    assert.equal(killed, true);
    assert.notEqual(code, 0);
    await passes("up");
  });

  it("is what the API server has", async () => {
    const api = rehearsal.server.api;
    const path = "/apis/postgresql.cnpg.io/v1/namespaces/app/clusters/app-db";
    assert.equal((await api.get<{ spec: { instances: number } }>(path)).spec.instances, 1);
    const policies = await api.list("/apis/networking.k8s.io/v1/namespaces/app/networkpolicies");
    assert.ok(policies.some((policy) => policy.metadata.name === "default-deny"));
  });

  it("is not changed by a second run", async () => {
    await passes("up", "--expect-no-changes");
  });

  it("finds what was changed by hand, and puts it back", async () => {
    const path = "/apis/apps/v1/namespaces/app/deployments/api";
    const scale = (replicas: number) => rehearsal.server.api.patch(path, { spec: { replicas } });
    await scale(3);
    assert.match(await passes("refresh", "--skip-preview"), /~ 1 updated/);
    await passes("up");
    assert.equal((await rehearsal.server.api.get<{ spec: { replicas: number } }>(path)).spec.replicas, 1);
  });

  it("is gone after destroy", async () => {
    await passes("destroy");
    const namespaces = await rehearsal.server.api.list("/api/v1/namespaces");
    assert.deepEqual(
      namespaces.map((one) => one.metadata.name).filter((name) => ["app", "traefik", "cnpg-system"].includes(name)),
      [],
    );
  });
});
