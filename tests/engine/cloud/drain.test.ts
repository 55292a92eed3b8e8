import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { openArtifacts } from "../../../artifacts";
import { KubeClient } from "../../../cli/access/api";
import { CloudApi } from "../../../cli/cloud/api";
import { drainCluster } from "../../../cli/cloud/drain";
import { findOrphans } from "../../../cli/cloud/orphans";
import { readRecord } from "../../../cli/cloud/record";
import { costSchema, pricesOf } from "../../../stacks/cost";
import { type Emulator, startEmulator } from "../../../standins/cloud/main";
import { ApiServer, at, startApiServer, until } from "../apiserver";

/**
 * The drain before a destroy, against a real control plane (its garbage collector, its StatefulSets and its protection of claims) and the
 * emulated cloud. In the place of the CSI provisioner a test double deletes in the cloud what the cluster lets go; nobody plays the cloud
 * controller manager. Costs: a control plane, 25 s.
 */
describe("the drain of a cluster", function () {
  this.timeout(90_000);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-drain-"));
  const stateDir = process.env["GROUNDWORK_STATE_DIR"];
  const namespaced = "/api/v1/namespaces/default";
  let cluster: ApiServer;
  let emulator: Emulator;
  let cloud: CloudApi;
  let double: NodeJS.Timeout;
  const ids: Record<string, number> = {};

  /** A volume of the cloud, as the driver makes it for a claim and binds it. */
  async function bind(claim: string, policy: "Delete" | "Retain"): Promise<void> {
    const labels = { "managed-by": "csi-driver", "groundwork-stack": "prod" };
    const volume = { name: `pv-${claim}`, size: 10, location: "fsn1", labels };
    ids[claim] = (await cloud.change<{ volume: { id: number } }>("POST", "/volumes", volume)).volume.id;
    const shared = { accessModes: ["ReadWriteOnce"], storageClassName: "hcloud-volumes" };
    const csi = { driver: "csi.hetzner.cloud", volumeHandle: String(ids[claim]) };
    await cluster.api.post("/api/v1/persistentvolumes", {
      metadata: { name: `pv-${claim}` },
      spec: {
        ...shared,
        csi,
        capacity: { storage: "10Gi" },
        persistentVolumeReclaimPolicy: policy,
        claimRef: { namespace: "default", name: claim },
      },
    });
    await cluster.api.post(`${namespaced}/persistentvolumeclaims`, {
      metadata: { name: claim },
      spec: { ...shared, volumeName: `pv-${claim}`, resources: { requests: { storage: "10Gi" } } },
    });
    const bound = async () =>
      at(await cluster.api.get(`${namespaced}/persistentvolumeclaims/${claim}`), "status", "phase") === "Bound";
    await until(bound, 30_000);
  }

  /** What the CSI provisioner does once the cluster has let go of a volume. */
  async function letGo(): Promise<void> {
    for (const volume of await cluster.api.list("/api/v1/persistentvolumes")) {
      const handle = at<string>(volume, "spec", "csi", "volumeHandle");
      const mayGo = at(volume, "spec", "persistentVolumeReclaimPolicy") === "Delete";
      if (at(volume, "status", "phase") !== "Released" || !mayGo) continue;
      await cloud.remove(`/volumes/${handle}`);
      await cluster.api.delete(`/api/v1/persistentvolumes/${volume.metadata.name}`);
    }
  }

  before(async function () {
    this.timeout(120_000);
    process.env["GROUNDWORK_STATE_DIR"] = folder;
    emulator = await startEmulator({ backend: "paper", folder: path.join(folder, "cloud") });
    cloud = new CloudApi({ token: emulator.token, endpoint: emulator.endpoint });
    cluster = await startApiServer(process.env["GROUNDWORK_K3S_BINARY"] ?? openArtifacts().file("k3s").path);
    await cluster.api.post("/apis/apps/v1/namespaces/default/statefulsets", {
      metadata: { name: "db" },
      spec: {
        serviceName: "db",
        selector: { matchLabels: { app: "db" } },
        template: {
          metadata: { labels: { app: "db" } },
          spec: {
            containers: [{ name: "db", image: "db:1", volumeMounts: [{ name: "data", mountPath: "/data" }] }],
            volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
          },
        },
      },
    });
    await bind("data", "Delete");
    await bind("archive", "Retain");
    await cluster.api.post(`${namespaced}/services`, {
      metadata: { name: "front" },
      spec: { type: "LoadBalancer", ports: [{ port: 443 }], selector: { app: "db" } },
    });
    const front = await cluster.api.get(`${namespaced}/services/front`);
    const labels = { "hcloud-ccm/service-uid": front.metadata.uid! };
    const balancer = { name: "front", load_balancer_type: "lb11", location: "fsn1", labels };
    await cloud.change("POST", "/load_balancers", { ...balancer, algorithm: { type: "round_robin" } });
    await until(async () => (await cluster.api.list(`${namespaced}/pods`)).length === 1, 30_000);
    let busy = false;
    double = setInterval(() => {
      if (busy) return;
      busy = true;
      void letGo()
        .catch(() => undefined)
        .finally(() => (busy = false));
    }, 300);
  });

  after(async () => {
    clearInterval(double);
    await cluster?.stop();
    await emulator?.stop();
    if (stateDir === undefined) delete process.env["GROUNDWORK_STATE_DIR"];
    else process.env["GROUNDWORK_STATE_DIR"] = stateDir;
    fs.rmSync(folder, { recursive: true, force: true });
  });

  it("takes the Service, and the claim with the StatefulSet whose pods would come back for it", async () => {
    const { url: server, ca, token } = cluster;
    const kube = new KubeClient({ server, ca, token });
    const drained = await drainCluster({ stack: "prod", api: cloud, kube, patience: 60 });
    assert.deepEqual(drained, { services: 1, volumes: 1, left: [] });
    assert.equal(await cluster.api.find("/apis/apps/v1/namespaces/default/statefulsets/db"), undefined);
    assert.equal(await cluster.api.find(`${namespaced}/persistentvolumeclaims/data`), undefined);
    const volumes = await cloud.list("/volumes", "volumes");
    assert.deepEqual(
      volumes.map(({ name }) => name),
      ["pv-archive"],
    );
  });

  it("leaves what a claim wants kept, and knows afterwards what is whose", async () => {
    const record = readRecord("prod");
    assert.deepEqual(record?.volumes, [
      { id: ids["archive"], claim: "default/archive", retain: true },
      { id: ids["data"], claim: "default/data", retain: false },
    ]);
    const known = { stack: "prod", inState: new Map<string, Set<string>>(), record };
    const orphans = await findOrphans(cloud, known, pricesOf(costSchema.parse({})));
    assert.deepEqual(
      orphans.map(({ object, ofCluster, retained }) => [object.name, ofCluster, retained]),
      // Nobody plays the cloud controller manager here: its balancer is left, and told by the recorded Service.
      [
        ["front", true, false],
        ["pv-archive", false, true],
      ],
    );
  });
});
