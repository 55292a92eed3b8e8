import { strict as assert } from "node:assert";
import type { CloudControllers } from "../../components/cloud";
import { exemptions } from "../../policies/exemption-list";
import { capture, find, valueOf } from "./fixtures/capture";
import { makeCloudControllers as program, cloudToken as token } from "./fixtures/cloud-controllers";
import { Graph } from "./graph/graph";
import { policyViolations } from "./graph/policies";

const ccm = "hcloud-cloud-controller-manager";
const controller = "hcloud-csi-controller";
const node = "hcloud-csi-node";

/** Each graph is captured once: looking at one changes nothing in it. */
const captured = new Map<string, ReturnType<typeof capture<CloudControllers>>>();
function look(args: Parameters<typeof program>[0] = {}, settings: unknown = {}) {
  const key = JSON.stringify([args, settings]);
  const known = captured.get(key) ?? capture(() => program(args, settings));
  captured.set(key, known);
  return known;
}

const podOf = (graph: Graph, kind: string, name: string): any => find(graph, kind, name).inputs.spec.template.spec;
const containersOf = (graph: Graph): any[] =>
  graph.nodes.flatMap(({ inputs }) => (inputs.spec?.template?.spec?.containers as object[] | undefined) ?? []);
const envOf = (container: any): Record<string, string> =>
  Object.fromEntries((container.env ?? []).map((one: { name: string; value: string }) => [one.name, one.value]));
const names = (graph: Graph, kind: string): string[] =>
  graph.nodes.filter(({ type }) => type.endsWith(`:${kind}`)).map(({ inputs }) => inputs.metadata.name as string);

/** The exemptions that are for these: those of other parts are not needed here. */
const ours = exemptions.filter(({ resource }) => /\/hcloud/.test(resource));

describe("cloud controllers", function () {
  // The pack judges some sixty objects by as many rules.
  this.timeout(60_000);
  for (const settings of [{}, { volumes: { encrypted: true, default: true } }]) {
    it(`pass the policy pack with ${JSON.stringify(settings)}, by exemptions of their own`, async () => {
      const { graph } = await look({}, settings);
      assert.deepEqual(await policyViolations(graph, { exemptions: ours }), []);
      const without = await policyViolations(graph, { exemptions: [] });
      assert.ok(without.length >= ours.length, "exemptions that nothing needs");
    });
  }

  it("can run on a node that nobody has initialised yet, without the cluster's DNS", async () => {
    const { graph } = await look();
    const pod = podOf(graph, "Deployment", ccm);
    assert.equal(pod.dnsPolicy, "Default");
    assert.equal(pod.hostNetwork, undefined);
    const taint = { key: "node.cloudprovider.kubernetes.io/uninitialized", value: "true", effect: "NoSchedule" };
    assert.ok(pod.tolerations.some((one: any) => Object.entries(taint).every(([key, value]) => one[key] === value)));
    // What needs initialised nodes waits for them like everything else.
    const follows = podOf(graph, "Deployment", controller).tolerations.map(({ key }: { key: string }) => key);
    assert.ok(!follows.includes(taint.key));
  });

  it("leave a node that does not answer within half a minute", async () => {
    const { graph } = await look();
    for (const name of [ccm, controller]) {
      const { tolerations } = podOf(graph, "Deployment", name);
      const lost = tolerations.filter(({ effect }: { effect?: string }) => effect === "NoExecute");
      assert.deepEqual(
        lost.map((one: any) => [one.key, one.tolerationSeconds]),
        [
          ["node.kubernetes.io/not-ready", 30],
          ["node.kubernetes.io/unreachable", 30],
        ],
      );
      assert.equal(find(graph, "Deployment", name).inputs.spec.strategy.type, "Recreate");
    }
  });

  it("have the cloud's token in a mounted file, marked as a secret, and in no argument and no variable", async () => {
    const { graph } = await look();
    const secret = find(graph, "Secret", "cloud-token");
    assert.equal(secret.inputs.stringData.token, token);
    assert.ok(secret.secrets.some((path) => path.startsWith("stringData")));
    const holders = graph.nodes.filter(({ inputs }) => JSON.stringify(inputs).includes(token));
    assert.deepEqual(holders, [secret]);
    const mounting = containersOf(graph).filter(({ volumeMounts = [] }) =>
      volumeMounts.some(({ mountPath }: { mountPath: string }) => mountPath === "/etc/hcloud"),
    );
    assert.deepEqual(mounting.map(({ name }) => name).sort(), [ccm, controller].sort());
    for (const container of mounting) assert.equal(envOf(container)["HCLOUD_TOKEN_FILE"], "/etc/hcloud/token");
  });

  it("leave load balancers and routes alone, and go by the private network", async () => {
    const { graph } = await look();
    const [container] = podOf(graph, "Deployment", ccm).containers;
    const env = envOf(container);
    assert.equal(env["HCLOUD_LOAD_BALANCERS_ENABLED"], "false");
    assert.equal(env["HCLOUD_NETWORK_ROUTES_ENABLED"], "false");
    assert.equal(env["HCLOUD_NETWORK"], "demo");
    assert.equal(env["HCLOUD_ENDPOINT"], undefined);
    const kinds = find(graph, "ClusterRole", ccm).inputs.rules.flatMap(({ resources }: any) => resources);
    assert.deepEqual(kinds, ["nodes", "nodes/status", "events"]);
  });

  it("reach the cloud's API in the internet and nothing private", async () => {
    const { graph } = await look();
    for (const name of [ccm, controller]) {
      const [api, dns] = find(graph, "NetworkPolicy", `${name}-to-cloud`).inputs.spec.egress;
      assert.equal(api.to[0].ipBlock.cidr, "0.0.0.0/0");
      assert.ok(["10.0.0.0/8", "169.254.0.0/16"].every((cidr) => api.to[0].ipBlock.except.includes(cidr)));
      assert.deepEqual(api.ports, [{ port: 443, protocol: "TCP" }]);
      assert.deepEqual([...new Set(dns.ports.map(({ port }: { port: number }) => port))], [53]);
    }
  });

  it("reach an API at an address by that address and port alone", async () => {
    const { graph } = await look({ endpoint: "http://198.18.0.1:8080/v1" });
    const { egress } = find(graph, "NetworkPolicy", `${ccm}-to-cloud`).inputs.spec;
    assert.deepEqual(egress, [
      { to: [{ ipBlock: { cidr: "198.18.0.1/32" } }], ports: [{ port: 8080, protocol: "TCP" }] },
    ]);
    for (const name of [ccm, controller]) {
      const [container] = podOf(graph, "Deployment", name).containers;
      assert.equal(envOf(container)["HCLOUD_ENDPOINT"], "http://198.18.0.1:8080/v1");
    }
  });

  it("label volumes with the stack's name, as the driver reads labels", async () => {
    const { graph } = await look();
    const env = envOf(podOf(graph, "Deployment", controller).containers[0]);
    assert.equal(env["HCLOUD_VOLUME_EXTRA_LABELS"], "groundwork-stack=test");
    assert.equal(env["HCLOUD_VOLUME_DEFAULT_LOCATION"], "fsn1");
  });

  it("let the driver's containers meet at one socket", async () => {
    const { graph } = await look();
    for (const [kind, name] of [
      ["Deployment", controller],
      ["DaemonSet", node],
    ] as const) {
      for (const { volumeMounts } of podOf(graph, kind, name).containers) {
        assert.ok(volumeMounts.some(({ mountPath }: { mountPath: string }) => mountPath === "/run/csi"));
      }
    }
  });

  it("give the privileged half on the nodes no token, and no way but to the machine's metadata", async () => {
    const { graph } = await look();
    const pod = podOf(graph, "DaemonSet", node);
    assert.equal(pod.automountServiceAccountToken, false);
    assert.equal(pod.serviceAccountName, undefined);
    assert.equal(pod.hostNetwork, undefined);
    assert.deepEqual(
      pod.containers.filter((one: any) => one.securityContext.privileged).map(({ name }: any) => name),
      ["driver"],
    );
    const { egress, podSelector } = find(graph, "NetworkPolicy", `${node}-to-metadata`).inputs.spec;
    assert.deepEqual(egress, [
      { to: [{ ipBlock: { cidr: "169.254.169.254/32" } }], ports: [{ port: 80, protocol: "TCP" }] },
    ]);
    assert.deepEqual(podSelector.matchLabels, find(graph, "DaemonSet", node).inputs.spec.selector.matchLabels);
  });

  it("give the class for claims once the driver serves it; it grows, and is no default", async () => {
    const { graph, result } = await look();
    assert.equal(await valueOf(result.storageClass), "hcloud-volumes");
    const { inputs } = find(graph, "StorageClass", "hcloud-volumes");
    assert.equal(inputs.allowVolumeExpansion, true);
    assert.equal(inputs.volumeBindingMode, "WaitForFirstConsumer");
    assert.equal(inputs.metadata.annotations["storageclass.kubernetes.io/is-default-class"], "false");
    assert.deepEqual(names(graph, "StorageClass"), ["hcloud-volumes"]);
    assert.deepEqual(names(graph, "CSIDriver"), ["csi.hetzner.cloud"]);
  });

  it("encrypt volumes by a generated passphrase that only a Secret holds", async () => {
    const { graph, result } = await look({}, { volumes: { encrypted: true, default: true } });
    assert.equal(await valueOf(result.storageClass), "hcloud-volumes-encrypted");
    const encrypted = find(graph, "StorageClass", "hcloud-volumes-encrypted").inputs;
    assert.equal(encrypted.metadata.annotations["storageclass.kubernetes.io/is-default-class"], "true");
    assert.deepEqual(encrypted.parameters, {
      "csi.storage.k8s.io/node-publish-secret-name": "cloud-volumes-passphrase",
      "csi.storage.k8s.io/node-publish-secret-namespace": "hcloud",
    });
    const plain = find(graph, "StorageClass", "hcloud-volumes").inputs;
    assert.equal(plain.metadata.annotations["storageclass.kubernetes.io/is-default-class"], "false");
    const secret = find(graph, "Secret", "cloud-volumes-passphrase");
    assert.deepEqual(Object.keys(secret.inputs.stringData), ["encryption-passphrase"]);
    assert.ok(secret.secrets.some((path) => path.startsWith("stringData")));
  });

  it("bring no driver where volumes are off", async () => {
    const { graph, result } = await look({}, { volumes: { enabled: false } });
    assert.equal(result.storageClass, undefined);
    assert.deepEqual(names(graph, "Deployment"), [ccm]);
    assert.deepEqual([...names(graph, "DaemonSet"), ...names(graph, "StorageClass")], []);
  });
});
