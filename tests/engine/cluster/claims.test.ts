import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { openArtifacts } from "../../../artifacts";
import { claimFunctions, freeClaims } from "../../../components/cluster/claims";
import { script } from "../../../components/host/remote-script";
import { type ApiServer, type KubeObject, startApiServer, until } from "../apiserver";

const space = "data";
const unrun = { containers: [{ name: "main", image: "none" }] };

/** A Cluster of CloudNativePG is asked for its status alone, so its definition takes any. */
const definition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "clusters.postgresql.cnpg.io" },
  spec: {
    group: "postgresql.cnpg.io",
    scope: "Namespaced",
    names: { kind: "Cluster", plural: "clusters", singular: "cluster" },
    versions: [
      {
        ...{ name: "v1", served: true, storage: true },
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};

/** The script runs on a real API server, with Kubernetes's own controllers and without machines. Cost: about ten seconds. */
describe("claims of what lay on the disk of a node that left", function () {
  this.timeout(120_000);
  const node = process.env["GROUNDWORK_K3S_BINARY"] ?? openArtifacts().file("k3s").path;
  let folder: string;
  let cluster: ApiServer;

  before(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-claims-"));
    cluster = await startApiServer(node);
    const { api } = cluster;
    await api.post("/api/v1/namespaces", { metadata: { name: space } });
    await api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
    const clusters = `/apis/postgresql.cnpg.io/v1/namespaces/${space}/clusters`;
    const served = () =>
      api.get(clusters).then(
        () => true,
        () => false,
      );
    await until(served, 30_000, "the definition is not served");
  });
  after(async () => {
    await cluster?.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  const core = `/api/v1/namespaces/${space}`;

  /** A claim, bound to a volume that is on one machine, or that a cloud can bring to any. */
  async function claim(name: string, on: string | undefined, labels: Record<string, string> = {}): Promise<void> {
    const size = { storage: "1Gi" };
    const key = on === undefined ? "topology.kubernetes.io/region" : "kubernetes.io/hostname";
    const matchExpressions = [{ key, operator: "In", values: [on ?? "fsn1"] }];
    const volume = {
      metadata: { name: `pv-${name}` },
      spec: {
        ...{ capacity: size, accessModes: ["ReadWriteOnce"], storageClassName: "local-path" },
        hostPath: { path: `/data/${name}` },
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } },
        claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace: space, name },
      },
    };
    await cluster.api.post("/api/v1/persistentvolumes", volume);
    const spec = {
      ...{ accessModes: ["ReadWriteOnce"], storageClassName: "local-path", volumeName: `pv-${name}` },
      resources: { requests: size },
    };
    await cluster.api.post(`${core}/persistentvolumeclaims`, { metadata: { name, labels }, spec });
  }

  const isReady = (name: string, ready: boolean) =>
    cluster.api.patch(
      `${core}/pods/${name}/status`,
      { status: { conditions: [{ type: "Ready", status: ready ? "True" : "False" }] } },
      "strategic",
    );

  /** A StatefulSet; its pods are its controller's, and no machine runs them. */
  async function set(name: string, ready: boolean[]): Promise<void> {
    const labels = { app: name };
    const data = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
    await cluster.api.post(`/apis/apps/v1/namespaces/${space}/statefulsets`, {
      metadata: { name },
      spec: {
        ...{ serviceName: name, replicas: ready.length, podManagementPolicy: "Parallel" },
        ...{ selector: { matchLabels: labels }, template: { metadata: { labels }, spec: unrun } },
        volumeClaimTemplates: [{ metadata: { name: "data" }, spec: data }],
      },
    });
    for (const [index, well] of ready.entries()) {
      const pod = `${name}-${index}`;
      await until(async () => (await cluster.api.find(`${core}/pods/${pod}`)) !== undefined, 20_000, `no pod ${pod}`);
      await isReady(pod, well);
    }
  }

  /** A database of CloudNativePG with its pods, as its operator would have made them. */
  async function database(name: string, primary: string, instances: Record<string, boolean>): Promise<void> {
    const [apiVersion, kind] = ["postgresql.cnpg.io/v1", "Cluster"];
    const status = { currentPrimary: primary };
    const { metadata } = await cluster.api.post(`/apis/${apiVersion}/namespaces/${space}/clusters`, {
      ...{ apiVersion, kind, metadata: { name }, status },
    });
    const ownerReferences = [{ apiVersion, kind, name, uid: metadata.uid, controller: true }];
    for (const [pod, well] of Object.entries(instances)) {
      await cluster.api.post(`${core}/pods`, { metadata: { name: pod, ownerReferences }, spec: unrun });
      await isReady(pod, well);
    }
  }

  const instance = (database: string, name: string) => ({ "cnpg.io/cluster": database, "cnpg.io/instanceName": name });

  /** What the script says of a node, with waits cut short. */
  function free(name: string): { status: number | null; stdout: string; stderr: string } {
    const file = path.join(folder, "kubeconfig");
    fs.writeFileSync(file, cluster.kubeconfig, { mode: 0o600 });
    const functions = claimFunctions.replace(/await \d+ 2/, "await 2 1");
    const text = `kubectl="${node} kubectl --kubeconfig ${file}"\n${functions}\n${freeClaims(name)}`;
    return spawnSync("bash", ["-c", script({ apply: text, remove: "" }), "bash", "apply"], { encoding: "utf8" });
  }

  /** Which objects of a kind there are: another one of the same name is another object. */
  const identities = async (collection: string): Promise<Map<string, unknown>> => {
    const { items } = await cluster.api.get<{ items: KubeObject[] }>(`${core}/${collection}`);
    return new Map(items.map(({ metadata }) => [metadata.name, metadata.uid]));
  };

  /** Names of objects that are no longer the ones that they were. */
  const changed = async (collection: string, before: Map<string, unknown>): Promise<string[]> => {
    const now = await identities(collection);
    return [...before].flatMap(([name, uid]) => (now.get(name) === uid ? [] : [name])).sort();
  };

  it("are freed where another copy is ready, with their pods, and stay where none is", async () => {
    await claim("db-1", "lost", instance("db", "db-1"));
    await claim("db-2", "here", instance("db", "db-2"));
    await database("db", "db-2", { "db-1": false, "db-2": true });
    await claim("lone-1", "lost", instance("lone", "lone-1"));
    await database("lone", "lone-1", { "lone-1": false });
    await claim("data-vault-0", "lost");
    await claim("data-vault-1", "here");
    await set("vault", [false, true]);
    await claim("data-single-0", "lost");
    await set("single", [false]);
    await claim("made-by-hand", "lost");
    await claim("in-the-cloud", undefined);

    const [claims, pods] = [await identities("persistentvolumeclaims"), await identities("pods")];
    const done = free("lost");
    assert.equal(done.status, 0, done.stderr);
    assert.deepEqual(done.stdout.trim().split("\n").sort(), [
      "data/data-vault-0 was on lost: a new copy takes its place",
      "data/db-1 was on lost: a new copy takes its place",
    ]);
    assert.deepEqual(unfreed(done), ["data/data-single-0", "data/lone-1", "data/made-by-hand"]);
    const expected = ["data-vault-0", "db-1"].join();
    const freed = async () => (await changed("persistentvolumeclaims", claims)).join() === expected;
    await until(freed, 20_000, "the claims are still there");
    assert.deepEqual(await changed("pods", pods), ["db-1", "vault-0"]);
  });

  it("are told again where no other copy was ready, and nothing else is touched", async () => {
    const [claims, pods] = [await identities("persistentvolumeclaims"), await identities("pods")];
    const done = free("lost");
    assert.equal(done.status, 0, done.stderr);
    assert.deepEqual([done.stdout, unfreed(done)], ["", ["data/data-single-0", "data/lone-1", "data/made-by-hand"]]);
    assert.deepEqual(await changed("persistentvolumeclaims", claims), []);
    assert.deepEqual(await changed("pods", pods), []);
  });

  const unfreed = ({ stderr }: { stderr: string }): string[] =>
    [...stderr.matchAll(/the data of (\S+) lay on lost, and no other copy/g)].map(([, one]) => one!).sort();
});
