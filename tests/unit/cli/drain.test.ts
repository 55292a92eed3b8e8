import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import type { KubeClient } from "../../../cli/access/api";
import type { CloudApi } from "../../../cli/cloud/api";
import { drainCluster } from "../../../cli/cloud/drain";
import { readRecord } from "../../../cli/cloud/record";
import { KubeError } from "../../../cli/kube";

type Json = Record<string, unknown>;

/** A stand-in of an API server: objects by path; deletes what is deleted, with all that it owns, and what a claim is bound to. */
class Cluster {
  readonly objects = new Map<string, Json>();
  readonly deleted: string[] = [];
  /** Paths that stay for ever, like an object whose finalizer nobody takes away. */
  readonly stuck = new Set<string>();
  dead = false;

  client(): KubeClient {
    return { request: (method: string, path: string) => this.answer(method, path) } as unknown as KubeClient;
  }

  private answer(method: string, at: string): Promise<unknown> {
    if (this.dead) return Promise.reject(new Error("connect ECONNREFUSED"));
    if (method === "DELETE") {
      this.deleted.push(at);
      if (!this.stuck.has(at)) this.remove(at);
      return Promise.resolve({});
    }
    const found = this.objects.get(at);
    if (found) return Promise.resolve(found);
    const items = [...this.objects]
      .filter(([key]) => key.replace(/\/namespaces\/[^/]+/, "").startsWith(`${at}/`) || key.startsWith(`${at}/`))
      .map(([, object]) => object);
    return items.length > 0 || /s$/.test(at) ? Promise.resolve({ items }) : Promise.reject(new KubeError(404, "gone"));
  }

  private remove(at: string): void {
    const object = this.objects.get(at);
    this.objects.delete(at);
    if (at.includes("/persistentvolumeclaims/")) {
      const name = at.split("/").at(-1);
      for (const [key, { spec }] of this.objects) {
        if ((spec as { claimRef?: { name: string } } | undefined)?.claimRef?.name === name) this.objects.delete(key);
      }
    }
    assert.ok(object || at.includes("/persistentvolumeclaims/"), `${at} is not there`);
  }
}

function cluster(): Cluster {
  const made = new Cluster();
  const put = (at: string, more: Json) => made.objects.set(at, { metadata: { name: at.split("/").at(-1) }, ...more });
  const service = (namespace: string, name: string, uid: string, type: string) =>
    put(`/api/v1/namespaces/${namespace}/services/${name}`, { metadata: { name, namespace, uid }, spec: { type } });
  service("edge", "front", "uid-1", "LoadBalancer");
  service("kube-system", "traefik", "uid-2", "LoadBalancer"); // served by the nodes: no balancer in the cloud
  service("app", "api", "uid-3", "ClusterIP");
  const volume = (name: string, handle: string, claim: string, policy: string, driver = "csi.hetzner.cloud") =>
    put(`/api/v1/persistentvolumes/${name}`, {
      spec: {
        csi: { driver, volumeHandle: handle },
        claimRef: { namespace: "app", name: claim },
        persistentVolumeReclaimPolicy: policy,
      },
    });
  volume("pv-1", "11", "db-1", "Delete");
  volume("pv-2", "12", "archive", "Retain");
  volume("pv-3", "13", "local", "Delete", "local.csi");
  const owner = (apiVersion: string, kind: string, name: string) => [{ apiVersion, kind, name, controller: true }];
  const pod = (name: string, claim: string, ownerReferences?: object[]) =>
    put(`/api/v1/namespaces/app/pods/${name}`, {
      metadata: { name, ownerReferences },
      spec: { volumes: [{ persistentVolumeClaim: { claimName: claim } }] },
    });
  pod("db-1", "db-1", owner("postgresql.cnpg.io/v1", "Cluster", "db"));
  pod("archive-1", "archive");
  pod("web-1", "none", owner("apps/v1", "ReplicaSet", "web"));
  put("/apis/postgresql.cnpg.io/v1", { resources: [{ name: "clusters", kind: "Cluster", namespaced: true }] });
  put("/apis/postgresql.cnpg.io/v1/namespaces/app/clusters/db", {});
  return made;
}

/** The cloud's lists: one network of the stack, one balancer of a Service of this cluster, and one of another's. */
const cloud = {
  list: (route: string) =>
    Promise.resolve(
      route === "/networks"
        ? [{ id: 5, name: "prod" }]
        : ["uid-1", "uid-9"].map((uid, i) => ({ id: i, name: uid, labels: { "hcloud-ccm/service-uid": uid } })),
    ),
} as unknown as CloudApi;

describe("the drain before a destroy", () => {
  const before = process.env["GROUNDWORK_STATE_DIR"];
  beforeEach(() => (process.env["GROUNDWORK_STATE_DIR"] = fs.mkdtempSync(path.join(os.tmpdir(), "drain-"))));
  afterEach(() => {
    fs.rmSync(process.env["GROUNDWORK_STATE_DIR"]!, { recursive: true, force: true });
    if (before === undefined) delete process.env["GROUNDWORK_STATE_DIR"];
    else process.env["GROUNDWORK_STATE_DIR"] = before;
  });
  const drain = (kube: KubeClient | undefined) =>
    drainCluster({
      stack: "prod",
      api: cloud,
      kube,
      patience: 0.05,
      sleep: () => new Promise((r) => setTimeout(r, 10)),
    });

  it("deletes balanced Services, and claims with the outermost owner of the pods that use them", async () => {
    const made = cluster();
    assert.deepEqual(await drain(made.client()), { services: 1, volumes: 1, left: [] });
    assert.deepEqual(made.deleted, [
      "/api/v1/namespaces/edge/services/front",
      "/apis/postgresql.cnpg.io/v1/namespaces/app/clusters/db",
      "/api/v1/namespaces/app/persistentvolumeclaims/db-1",
    ]);
  });

  it("records first what is the cluster's, with what is to be kept", async () => {
    await drain(cluster().client());
    const { destroyed, ...record } = readRecord("prod")!;
    assert.match(destroyed ?? "", /^\d{4}-/);
    assert.deepEqual(record, {
      networks: [5],
      services: ["uid-1"],
      volumes: [
        { id: 11, claim: "app/db-1", retain: false },
        { id: 12, claim: "app/archive", retain: true },
      ],
    });
  });

  it("waits no longer than it was told, and names what is left", async () => {
    const made = cluster();
    made.stuck.add("/api/v1/namespaces/edge/services/front");
    assert.deepEqual(await drain(made.client()), { services: 0, volumes: 1, left: ["Service edge/front"] });
  });

  it("goes on without a cluster, and forgets nothing that an earlier run recorded", async () => {
    await drain(cluster().client());
    const dead = cluster();
    dead.dead = true;
    const { left } = await drain(dead.client());
    assert.match(left.join(), /the cluster does not answer \(connect ECONNREFUSED\)/);
    assert.match((await drain(undefined)).left.join(), /no kubeconfig/);
    assert.deepEqual(readRecord("prod")?.services, ["uid-1"]);
  });
});
