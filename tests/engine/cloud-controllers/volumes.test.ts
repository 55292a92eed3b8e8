import * as assert from "node:assert/strict";
import * as path from "node:path";
import { storageClassNames } from "../../../components/cloud/storage-classes";
import { sidecarArguments, volumeControllerEnv } from "../../../components/cloud/volume-controller";
import { driverName } from "../../../components/cloud/volume-node";
import { capture } from "../../unit/fixtures/capture";
import { makeCloudControllers } from "../../unit/fixtures/cloud-controllers";
import { at, KubeObject, until } from "../apiserver";
import { Program, Surroundings } from "./surroundings";

interface Volume {
  id: number;
  name: string;
  size: number;
  server: number | null;
  labels: Record<string, string>;
  location: { name: string };
}

/**
 * The driver's half that talks to the cloud, and its sidecars, with our arguments, environment and permissions, against a real
 * API server and the emulated cloud. Mounting needs machines and is not in it. Costs: a control plane, 40 s.
 */
describe("volumes of the cloud", function () {
  this.timeout(90_000);
  const around = new Surroundings();
  const programs: Record<string, Program> = {};
  const claims = "/api/v1/namespaces/default/persistentvolumeclaims";
  const attachments = "/apis/storage.k8s.io/v1/volumeattachments";
  let server: number;

  const volumes = () => around.cloud.list<Volume & { created: string }>("/volumes", "volumes");
  const holds = (what: () => Promise<boolean>, seconds = 30) =>
    until(what, seconds * 1000).catch((error: Error) => {
      const logs = Object.entries(programs).map(([name, one]) => `${name}:\n${one.log().slice(-1500)}`);
      assert.fail(`${error.message}\n${logs.join("\n")}`);
    });
  const claim = (): Promise<KubeObject | undefined> => around.cluster.api.find(`${claims}/data`);
  const volumeName = async () => at<string>(await claim(), "spec", "volumeName")!;

  before(async function () {
    this.timeout(120_000);
    await around.start();
    const { api } = around.cluster;
    const made = await around.cloud.change<{ server: { id: number } }>("POST", "/servers", {
      ...{ name: "node-1", server_type: "cx23", image: "debian-12", location: "fsn1" },
    });
    server = made.server.id;
    // What the kubelet does when the driver has registered there.
    const topologyKeys = [`${driverName}/location`];
    await api.post("/api/v1/nodes", { metadata: { name: "node-1", labels: { [topologyKeys[0]!]: "fsn1" } } });
    await api.post("/apis/storage.k8s.io/v1/csinodes", {
      metadata: { name: "node-1" },
      spec: { drivers: [{ name: driverName, nodeID: String(server), topologyKeys }] },
    });
    const { graph } = await capture(() => makeCloudControllers({}, { volumes: { encrypted: true } }));
    await around.make(graph);

    const socket = path.join(around.folder, "socket");
    const env = volumeControllerEnv({ endpoint: around.endpoint, location: "fsn1" }, around.tokenFile, {
      "groundwork-stack": "demo",
    });
    const kubeconfig = await around.account("hcloud", "hcloud-csi-controller");
    programs["driver"] = around.run("hcloud-csi-driver", ["-controller"], { ...env, CSI_ENDPOINT: `unix://${socket}` });
    for (const [name, args] of Object.entries(sidecarArguments)) {
      programs[name] = around.run(name, [`--csi-address=${socket}`, `--kubeconfig=${kubeconfig}`, ...args]);
    }
  });
  after(() => around.stop());

  it("are served by pods that the API server admits where they are to run", async () => {
    const podsOf = (namespace: string) => around.cluster.api.list(`/api/v1/namespaces/${namespace}/pods`);
    await holds(async () => (await podsOf("hcloud")).length === 2 && (await podsOf("kube-system")).length === 1);
    const [node] = await podsOf("kube-system");
    assert.match(node!.metadata.name, /^hcloud-csi-node-/);
  });

  it("makes a volume where a claim's pod is to run, with the stack's label", async () => {
    await around.cluster.api.post(claims, {
      metadata: { name: "data", annotations: { "volume.kubernetes.io/selected-node": "node-1" } },
      spec: {
        accessModes: ["ReadWriteOnce"],
        storageClassName: storageClassNames.plain,
        resources: { requests: { storage: "5Gi" } },
      },
    });
    await holds(async () => at(await claim(), "status", "phase") === "Bound", 60);
    const [volume, ...others] = await volumes();
    assert.deepEqual(others, []);
    assert.equal(volume!.size, 10, "the cloud's smallest");
    assert.equal(volume!.location.name, "fsn1");
    const { labels } = volume!;
    assert.equal(labels["groundwork-stack"], "demo");
    assert.equal(labels["managed-by"], "csi-driver");
    assert.deepEqual([labels["pvc-namespace"], labels["pvc-name"]], ["default", "data"]);
    const persistent = await around.cluster.api.get(`/api/v1/persistentvolumes/${await volumeName()}`);
    assert.equal(at(persistent, "spec", "csi", "volumeHandle"), String(volume!.id));
    assert.equal(at(persistent, "spec", "capacity", "storage"), "10Gi");
    const term = at(persistent, "spec", "nodeAffinity", "required", "nodeSelectorTerms", 0, "matchExpressions", 0);
    assert.deepEqual(term, { key: `${driverName}/location`, operator: "In", values: ["fsn1"] });
  });

  it("attaches it to the machine, and says under which device it is found", async () => {
    await around.cluster.api.post(attachments, {
      metadata: { name: "attached" },
      spec: { attacher: driverName, nodeName: "node-1", source: { persistentVolumeName: await volumeName() } },
    });
    const attachment = () => around.cluster.api.get(`${attachments}/attached`);
    await holds(async () => at(await attachment(), "status", "attached") === true);
    const [volume] = await volumes();
    assert.equal(volume!.server, server);
    const device = at(await attachment(), "status", "attachmentMetadata", "devicePath");
    assert.equal(device, `/dev/disk/by-id/scsi-0HC_Volume_${volume!.id}`);
  });

  it("grows it with its claim", async () => {
    await around.cluster.api.patch(`${claims}/data`, { spec: { resources: { requests: { storage: "20Gi" } } } });
    await holds(async () => (await volumes())[0]!.size === 20);
  });

  it("detaches it, and deletes it with its claim", async () => {
    await around.cluster.api.delete(`${attachments}/attached`);
    await holds(async () => (await volumes())[0]!.server === null);
    const name = await volumeName();
    await around.cluster.api.delete(`${claims}/data`);
    await holds(async () => (await volumes()).length === 0);
    await holds(async () => (await around.cluster.api.find(`/api/v1/persistentvolumes/${name}`)) === undefined);
  });

  it("was refused nothing at the API server, and shows the token nowhere", () => {
    for (const [name, program] of Object.entries(programs)) {
      assert.ok(program.running(), `${name} has ended`);
      assert.doesNotMatch(program.log(), /forbidden/i, name);
      assert.ok(!program.log().includes(around.token), name);
    }
  });
});
