import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import type { StackReport } from "../../../stacks/report";
import { nodeTable, nodeTimes } from "../../../cli/bench-nodes";
import { EmulatedCloud } from "../../support/cloud";
import { Groundwork } from "../../support/groundwork";
import { client, eventually } from "../../support/https";
import { leftBehind, MachineSnapshot, snapshot } from "../../support/machine";
import { OutageWatch } from "../../support/outage";

interface Item {
  id: string;
  name: string;
}

interface Node {
  metadata: { name: string; labels: Record<string, string> };
  spec: { providerID?: string };
}

/** Most requests to the cloud's API that a whole `up` may take: Hetzner lets 3,600 through in an hour. */
const mostRequests = 300;

/** Longest time for which nothing may be answered at the ingress after a node is lost, in seconds. */
const longestOutage = 30;

const machines = ["cloud-server-1", "cloud-server-2", "cloud-server-3", "cloud-worker-1", "cloud-worker-2"];

const primaryOf = "cnpg.io/cluster=app-db,cnpg.io/instanceRole=primary";

const volumeSpace = "on-a-volume";

const volumeClaim = [
  { apiVersion: "v1", kind: "Namespace", metadata: { name: volumeSpace } },
  {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "data", namespace: volumeSpace },
    spec: {
      accessModes: ["ReadWriteOnce"],
      storageClassName: "hcloud-volumes",
      resources: { requests: { storage: "10Gi" } },
    },
  },
];

/** A pod on a machine, with the claim under /data, that runs a line of shell to its end. */
const podWith = (machine: string, line: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: machine, namespace: volumeSpace },
  spec: {
    nodeSelector: { "kubernetes.io/hostname": machine },
    restartPolicy: "Never",
    automountServiceAccountToken: false,
    securityContext: {
      ...{ runAsNonRoot: true, runAsUser: 20000, runAsGroup: 20000, fsGroup: 20000 },
      seccompProfile: { type: "RuntimeDefault" },
    },
    containers: [
      {
        name: "shell",
        image: "docker.io/rancher/mirrored-library-busybox:1.35.0",
        imagePullPolicy: "Never",
        command: ["sh", "-ec", line],
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        volumeMounts: [{ name: "data", mountPath: "/data" }],
      },
    ],
    volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
  },
});

/**
 * The whole way on a rented cloud, from an empty project to a served row and back: the stack `cloud`, three servers and two agents
 * without public addresses behind a gateway, on the emulator of the cloud (a stand-in) with a machine of this computer for each
 * server. About five minutes on two cores. The steps build on each other and run in this order.
 */
describe("a stack in a cloud (emulated)", function () {
  this.timeout(20 * 60_000);
  this.bail(true);

  const groundwork = new Groundwork("cloud");
  let cloud: EmulatedCloud;
  let untouched: MachineSnapshot;
  let site: ReturnType<typeof client>;
  let row: Item;
  /** Name of the machine that is cut off, and then taken away. */
  let lost = "";

  const report = () => JSON.parse(fs.readFileSync(`${groundwork.stateDir}/summary/cloud.json`, "utf8")) as StackReport;
  const verb = async (name: string, ...args: string[]) => {
    const ended = await groundwork.run(name, ...args);
    assert.equal(ended.code, 0, ended.stdout.slice(-4000) + ended.stderr.slice(-4000));
    return ended.stdout;
  };

  before("an empty project of the emulated cloud", async () => {
    untouched = snapshot();
    cloud = await EmulatedCloud.start();
    Object.assign(groundwork.extraEnv, cloud.env);
  });

  after("whatever happened, nothing of the stack stays", async () => {
    try {
      if (fs.existsSync(`${groundwork.stateDir}/backend`)) await groundwork.run("destroy", "--confirm", "cloud");
    } finally {
      await cloud?.end();
    }
  });

  it("comes up from nothing, within the cloud's limit of requests", async () => {
    const began = Date.now();
    const events = path.join(groundwork.stateDir, "up.events");
    groundwork.extraEnv["GROUNDWORK_EVENTS"] = events;
    await verb("up", "--yes");
    delete groundwork.extraEnv["GROUNDWORK_EVENTS"];
    const { total } = cloud.requests();
    console.log(`    up: ${Math.round((Date.now() - began) / 1000)} s, ${total} requests to the cloud's API`);
    console.log(nodeTable(nodeTimes(events, "cloud")).replace(/^/gm, "    "));
    assert.ok(total > 0 && total < mostRequests, `${total} requests`);
    const text = await verb("pulumi", "stack", "output", "kubeconfig", "--show-secrets", "--stack", "cloud");
    fs.writeFileSync(kubeconfig(), text, { mode: 0o600 });
  });

  it("has servers and agents in the cluster, each known to the cloud", async () => {
    const { items } = JSON.parse(kubectl("get", "nodes", "-o", "json")) as { items: Node[] };
    assert.deepEqual(items.map(({ metadata }) => metadata.name).sort(), [...machines]);
    for (const { metadata, spec } of items) {
      assert.equal(spec.providerID, `hcloud://${cloud.server(metadata.name).id}`);
      assert.equal(metadata.labels["topology.kubernetes.io/region"], "fsn1");
    }
  });

  it("serves over TLS, through the balancer, a row that it wrote", async () => {
    const { ingressAddress, ca, endpoints } = report();
    site = client(endpoints["api"]!, ingressAddress, ca);
    const made = await site<Item>("/items", { method: "POST", body: { name: "from afar", quantity: 1 } });
    assert.equal(made.status, 201);
    row = made.body;
    assert.equal((await site<Item>(`/items/${row.id}`)).body.name, "from afar");
  });

  it("knows the addresses of its clients behind the balancer", async () => {
    const log = kubectl("logs", "-n", "traefik", "-l", "app.kubernetes.io/name=traefik", "--tail=200");
    const clients = new Set([...log.matchAll(/"ClientHost":"([^"]+)"/g)].map(([, address]) => address));
    assert.ok(clients.has(cloud.computer), `the access log has ${[...clients].join(", ")}`);
  });

  it("changes nothing when nothing changed", async () => {
    assert.match(await verb("up", "--yes", "--", "--expect-no-changes"), /unchanged/);
  });

  it("keeps what a pod wrote on a volume of the cloud, from one machine to another, and gives the volume back", async () => {
    const [writer, reader] = ["cloud-worker-2", "cloud-server-1"];
    apply(volumeClaim, podWith(writer, "echo kept > /data/file && sync"));
    await podEnds(writer);
    assert.deepEqual(cloud.left()["volumes"]?.length, 1);
    kubectl("delete", "pod", writer, "-n", volumeSpace);
    apply(podWith(reader, "cat /data/file"));
    await podEnds(reader);
    assert.equal(kubectl("logs", reader, "-n", volumeSpace).trim(), "kept");
    kubectl("delete", "namespace", volumeSpace);
    await eventually(60, async () => assert.equal(cloud.left()["volumes"], undefined));
  });

  it("serves on after the machine with the database's primary was lost", async () => {
    lost = primary();
    const there = kubectl("get", "pods", "-A", "--field-selector", `spec.nodeName=${lost}`, "-o", "name");
    console.log(
      `    on ${lost} ${there.trim().split("\n").length} pods, CoreDNS ${/coredns/.test(there) ? "" : "not "}among them`,
    );
    const watch = new OutageWatch(site, `/items/${row.id}`, { seconds: 240, pause: 200 });
    await cloud.cut(lost);
    const began = Date.now();
    const since = () => ((Date.now() - began) / 1000).toFixed(0);
    await eventually(120, () => {
      const [status] = kubectl("get", "node", lost, "--no-headers").split(/\s+/).slice(1);
      assert.match(status ?? "", /NotReady/);
    });
    const told = since();
    await eventually(120, () => assert.ok(!["", lost].includes(primary())));
    const chosen = since();
    await eventually(120, async () => assert.equal((await site<Item>(`/items/${row.id}`)).status, 200));
    console.log(
      `    the node NotReady after ${told} s, another primary after ${chosen} s, an answer after ${since()} s`,
    );
    await new Promise((resolve) => setTimeout(resolve, 5000));
    const { requests, failed, longest } = await watch.stop();
    console.log(`    ${failed} of ${requests} requests failed, ${longest} s at most without an answer`);
    assert.ok(longest <= longestOutage, `${longest} s without an answer`);
  });

  it("gets a lost machine back by one more run, and another copy of the data that lay on it", async () => {
    await cloud.lose(lost);
    const others = () => machines.filter((name) => name !== lost).map((name) => cloud.server(name).id);
    const before = others();
    const began = Date.now();
    await verb("up", "--yes");
    console.log(`    back after ${Math.round((Date.now() - began) / 1000)} s`);
    assert.deepEqual(others(), before, "a machine was touched that nothing was wrong with");
    const status = kubectl("get", "node", lost, "--no-headers");
    assert.match(status, /\bReady\b/);
    const ready = kubectl(
      "get",
      "clusters.postgresql.cnpg.io",
      "-n",
      "app",
      "-o",
      "jsonpath={.items[0].status.readyInstances}",
    );
    assert.equal(ready, "2");
    assert.equal((await site<Item>(`/items/${row.id}`)).body.name, "from afar");
  });

  it("leaves nothing in the cloud and nothing here", async () => {
    await verb("destroy", "--confirm", "cloud");
    assert.deepEqual(cloud.left(), {});
    await cloud.end();
    const left = leftBehind(untouched, snapshot(), /groundwork|gw-|nspawn|k3s/);
    assert.deepEqual(left, {});
    groundwork.forget();
  });

  const kubeconfig = () => path.join(groundwork.stateDir, "kubeconfig-test");

  /** `kubectl` through the address that people are given. */
  function kubectl(...args: string[]): string {
    return cloud.k3s("kubectl", "--kubeconfig", kubeconfig(), ...args);
  }

  /** The machine that the database's primary runs on; empty while there is none. */
  const primary = () =>
    kubectl("get", "pods", "-n", "app", "-l", primaryOf, "-o", "jsonpath={.items[*].spec.nodeName}");

  function apply(...objects: object[]): void {
    const file = path.join(groundwork.stateDir, "objects.json");
    fs.writeFileSync(file, JSON.stringify({ apiVersion: "v1", kind: "List", items: objects.flat() }));
    kubectl("apply", "-f", file);
  }

  const podEnds = (name: string) =>
    eventually(120, async () => {
      const phase = kubectl("get", "pod", name, "-n", volumeSpace, "-o", "jsonpath={.status.phase}");
      assert.equal(phase, "Succeeded", kubectl("get", "events", "-n", volumeSpace).slice(-1500));
    });
});
