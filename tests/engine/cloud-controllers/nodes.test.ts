import * as assert from "node:assert/strict";
import * as https from "node:https";
import { nodeControllerArguments, nodeControllerEnv } from "../../../components/cloud/node-controller";
import { capture } from "../../unit/fixtures/capture";
import { makeCloudControllers } from "../../unit/fixtures/cloud-controllers";
import { at, KubeObject, until } from "../apiserver";
import { freePort, Program, Surroundings } from "./surroundings";

const cloudTaint = "node.cloudprovider.kubernetes.io/";

/** With our arguments, environment and permissions, against a real API server and the emulated cloud. Costs: a control plane, 30 s. */
describe("the cloud controller manager", function () {
  this.timeout(90_000);
  const around = new Surroundings();
  const servers: Record<string, number> = {};
  let controller: Program;
  let port: number;

  const node = (name: string): Promise<KubeObject | undefined> => around.cluster.api.find(`/api/v1/nodes/${name}`);
  /** What a node's cloud says of it by taints; others are Kubernetes' own. */
  const taints = async (name: string): Promise<string[]> =>
    (at<{ key: string }[]>(await node(name), "spec", "taints") ?? []).flatMap(({ key }) =>
      key.startsWith(cloudTaint) ? [key.slice(cloudTaint.length)] : [],
    );
  /** Waits until something holds; its failure shows what the program has written. */
  const holds = (what: () => Promise<boolean>, seconds = 30) =>
    until(what, seconds * 1000).catch((error: Error) =>
      assert.fail(`${error.message}:\n${controller.log().slice(-2000)}`),
    );

  /** A node as a kubelet with an external cloud provider registers it. */
  async function register(name: string, address: string): Promise<void> {
    await around.cluster.api.post("/api/v1/nodes", {
      metadata: { name, annotations: { "alpha.kubernetes.io/provided-node-ip": address } },
      spec: {
        taints: [{ key: `${cloudTaint}uninitialized`, value: "true", effect: "NoSchedule" }],
      },
    });
    await setReady(name, "True");
  }

  async function setReady(name: string, status: "True" | "Unknown"): Promise<void> {
    const now = new Date().toISOString();
    const condition = { type: "Ready", status, reason: "Test", lastHeartbeatTime: now, lastTransitionTime: now };
    await around.cluster.api.patch(`/api/v1/nodes/${name}/status`, { status: { conditions: [condition] } });
  }

  async function order(name: string, network: number, ip: string): Promise<void> {
    const { server } = await around.cloud.change<{ server: { id: number } }>("POST", "/servers", {
      ...{ name, server_type: "cx23", image: "debian-12", location: "fsn1", networks: [] },
      public_net: { enable_ipv4: name.startsWith("public"), enable_ipv6: false },
      ...(name.startsWith("public") ? {} : { networks: [network] }),
    });
    servers[name] = server.id;
    if (name.startsWith("public")) {
      await around.cloud.change("POST", `/servers/${server.id}/actions/attach_to_network`, { network, ip });
    }
  }

  async function privateAddress(name: string): Promise<string> {
    const { server } = await around.cloud.get<{ server: { private_net: { ip: string }[] } }>(
      `/servers/${servers[name]}`,
    );
    return server.private_net[0]!.ip;
  }

  before(async function () {
    this.timeout(120_000);
    await around.start();
    const { network } = await around.cloud.change<{ network: { id: number } }>("POST", "/networks", {
      ...{ name: "demo", ip_range: "10.0.0.0/16" },
      subnets: [{ type: "cloud", ip_range: "10.0.1.0/24", network_zone: "eu-central" }],
    });
    for (const [name, ip] of [
      ["public-1", "10.0.1.20"],
      ["private-1", ""],
      ["private-2", ""],
    ] as const) {
      await order(name, network.id, ip);
    }
    const { graph } = await capture(() => makeCloudControllers({}, { volumes: { enabled: false } }));
    await around.make(graph);
    const kubeconfig = await around.account("hcloud", "hcloud-cloud-controller-manager");
    port = await freePort();
    controller = around.run(
      "hcloud-cloud-controller-manager",
      [
        ...nodeControllerArguments.filter((argument) => !argument.startsWith("--secure-port")),
        `--secure-port=${port}`,
        `--kubeconfig=${kubeconfig}`,
      ],
      nodeControllerEnv({ endpoint: around.endpoint, network: "demo" }, around.tokenFile),
    );
  });
  after(() => around.stop());

  it("initialises nodes: takes the taint off, gives id, place, type and addresses", async () => {
    await register("public-1", "10.0.1.20");
    await holds(async () => (await taints("public-1")).length === 0);
    const found = (await node("public-1"))!;
    assert.equal(at(found, "spec", "providerID"), `hcloud://${servers["public-1"]}`);
    const labels = found.metadata.labels ?? {};
    assert.equal(labels["topology.kubernetes.io/region"], "fsn1");
    assert.equal(labels["topology.kubernetes.io/zone"], "fsn1-dc14");
    assert.equal(labels["node.kubernetes.io/instance-type"], "cx23");
    assert.equal(labels["instance.hetzner.cloud/provided-by"], "cloud");
    const addresses = at<{ type: string; address: string }[]>(found, "status", "addresses") ?? [];
    const of = (type: string) => addresses.filter((one) => one.type === type).map(({ address }) => address);
    assert.deepEqual(of("InternalIP"), ["10.0.1.20"]);
    assert.equal(of("ExternalIP").length, 1);
    assert.deepEqual(of("Hostname"), ["public-1"]);
  });

  it("gives a node without public addresses none", async () => {
    for (const name of ["private-1", "private-2"]) {
      await register(name, await privateAddress(name));
      await holds(async () => (await taints(name)).length === 0);
    }
    const addresses = at<{ type: string; address: string }[]>(await node("private-1"), "status", "addresses") ?? [];
    assert.deepEqual(addresses.map(({ type }) => type).sort(), ["Hostname", "InternalIP"]);
    assert.equal(addresses.find(({ type }) => type === "InternalIP")?.address, await privateAddress("private-1"));
  });

  it("leaves a node that has no server of its name as it is", async () => {
    await register("stranger", "10.0.1.99");
    await holds(() => Promise.resolve(controller.log().includes("stranger")));
    assert.deepEqual(await taints("stranger"), ["uninitialized"]);
  });

  it("removes a node whose server is gone, and no other that does not answer", async () => {
    await around.cloud.change("POST", `/servers/${servers["private-2"]}/actions/poweroff`);
    await around.cloud.remove(`/servers/${servers["private-1"]}`);
    await setReady("private-1", "Unknown");
    await setReady("private-2", "Unknown");
    await holds(async () => (await node("private-1")) === undefined, 60);
    await holds(async () => (await taints("private-2")).includes("shutdown"));
    assert.ok(await node("public-1"));
  });

  it("answers its probe, and was refused nothing at the API server", async () => {
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      https
        .get({ port, path: "/healthz", host: "127.0.0.1", rejectUnauthorized: false }, ({ statusCode }) =>
          resolve(statusCode),
        )
        .on("error", reject);
    });
    assert.equal(answer, 200);
    assert.doesNotMatch(controller.log(), /forbidden/i);
    assert.ok(!controller.log().includes(around.token), "the token is in its log");
    assert.ok(controller.running());
  });
});
