import { strict as assert } from "node:assert";
import * as k8s from "@pulumi/kubernetes";
import type { CustomResourceOptions } from "@pulumi/pulumi";
import { ApiServer, at } from "../apiserver";
import { Provider, subjects } from "../contract/subjects";
import { useCluster } from "./cluster";
import { Program, Trial } from "./trial";

const containers = [{ name: "main", image: "main:1" }];
const template = (labels: Record<string, string>) => ({ metadata: { labels }, spec: { containers } });

/** One object of each kind that is waited for; all become ready on the simulated node. */
const everything: Program = (opts, namespace) => {
  const ns = new k8s.core.v1.Namespace("ns", { metadata: { name: namespace } }, opts);
  const named = (name: string) => ({ metadata: { name, namespace: ns.metadata.name } });
  const selector = (app: string) => ({ matchLabels: { app } });
  const ports = [{ port: 80 }];
  const storage = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
  new k8s.apps.v1.StatefulSet(
    "stateful",
    {
      ...named("stateful"),
      spec: {
        replicas: 2,
        serviceName: "stateful",
        selector: selector("stateful"),
        template: template({ app: "stateful" }),
      },
    },
    opts,
  );
  const daemon = { selector: selector("daemon"), template: template({ app: "daemon" }) };
  new k8s.apps.v1.DaemonSet("daemon", { ...named("daemon"), spec: daemon }, opts);
  new k8s.core.v1.Pod(
    "pod",
    { metadata: { ...named("pod").metadata, labels: { app: "pod" } }, spec: { containers } },
    opts,
  );
  const once = { template: { spec: { containers, restartPolicy: "Never" } } };
  new k8s.batch.v1.Job("job", { ...named("job"), spec: once }, opts);
  const balanced = { type: "LoadBalancer", selector: { app: "pod" }, ports };
  const service = new k8s.core.v1.Service("balanced", { ...named("balanced"), spec: balanced }, opts);
  new k8s.core.v1.PersistentVolumeClaim(
    "claim",
    { ...named("claim"), spec: { storageClassName: "", ...storage } },
    opts,
  );
  new k8s.core.v1.ResourceQuota("quota", { ...named("quota"), spec: { hard: { pods: "20" } } }, opts);
  const backend = { service: { name: service.metadata.name, port: { number: 80 } } };
  new k8s.networking.v1.Ingress(
    "ingress",
    { ...named("ingress"), spec: { rules: [{ http: { paths: [{ path: "/", pathType: "Prefix", backend }] } }] } },
    opts,
  );
};

for (const subject of subjects("kubernetes" as Provider)) {
  describe(`kubernetes provider: awaits (${subject.kind})`, function () {
    this.timeout(180_000);
    // As in the contract suite: a state one step behind, seldom, and not understood yet.
    this.retries(1);
    const cluster = useCluster();
    let server: ApiServer;
    let trial: Trial;
    before(() => void (server = cluster()));
    afterEach(() => trial?.end());

    it("waits for every kind, and a refresh finds nothing to change", async () => {
      trial = new Trial(subject, server, "kinds");
      const up = await trial.up(everything);
      assert.equal(up.failed, false, up.errors);
      const status = async (name: string) =>
        (await trial.resource(name))?.outputs?.["status"] as Record<string, unknown>;
      assert.equal((await status("stateful"))["readyReplicas"], 2);
      assert.equal((await status("daemon"))["numberAvailable"], 1);
      assert.equal((await status("pod"))["phase"], "Running");
      assert.equal((await status("job"))["succeeded"], 1);
      assert.deepEqual((await status("balanced"))["loadBalancer"], { ingress: [{ ip: "10.41.0.10", ipMode: "VIP" }] });
      assert.equal((await status("claim"))["phase"], "Bound");
      assert.deepEqual((await status("ingress"))["loadBalancer"], { ingress: [{ ip: "10.41.0.10" }] });
      assert.equal((await trial.refresh()).failed, false);
      const preview = await trial.preview();
      assert.deepEqual(preview.ops, {}, JSON.stringify(preview.diffs));
    });

    it("does not wait where it is told so", async () => {
      trial = new Trial(subject, server, "skip");
      const up = await trial.up((opts, namespace) => {
        const ns = new k8s.core.v1.Namespace("ns", { metadata: { name: namespace } }, opts);
        const metadata = {
          name: "stuck",
          namespace: ns.metadata.name,
          annotations: { "pulumi.com/skipAwait": "true" },
          labels: { stuck: "yes" },
        };
        new k8s.core.v1.Pod("stuck", { metadata, spec: { containers } }, opts);
      });
      assert.equal(up.failed, false, up.errors);
      assert.equal(at(await server.api.get(trial.path("pods", "stuck")), "status", "phase"), "Pending");
    });

    it("waits until all expressions of pulumi.com/waitFor hold", async () => {
      trial = new Trial(subject, server, "expressions");
      const pod =
        (expressions: string[]): Program =>
        (opts, namespace) => {
          const ns = new k8s.core.v1.Namespace("ns", { metadata: { name: namespace } }, opts);
          const annotations = { "pulumi.com/waitFor": JSON.stringify(expressions), "pulumi.com/timeoutSeconds": "3" };
          const metadata = { name: "pod", namespace: ns.metadata.name, annotations };
          new k8s.core.v1.Pod("pod", { metadata, spec: { containers } }, opts);
        };
      const never = await trial.up(pod(["jsonpath={.status.phase}=Running", "condition=Never"]));
      assert.equal(never.failed, true);
      const holds = await trial.up(pod(["jsonpath={.status.phase}=Running", "condition=Ready"]));
      assert.equal(holds.failed, false, holds.errors);
    });

    it("reads an object by its id, and decodes manifests", async () => {
      trial = new Trial(subject, server, "read");
      const found: Record<string, unknown> = {};
      const up = await trial.up((opts: CustomResourceOptions) => {
        const root = k8s.core.v1.ConfigMap.get("root", "kube-system/kube-root-ca.crt", opts);
        root.data.apply((data) => (found["ca"] = data["ca.crt"]));
        const text =
          "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {key: one}\n---\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: decoded}\n";
        k8s.yaml.parse({ yaml: text }, opts);
      });
      assert.equal(up.failed, false, up.errors);
      assert.match(String(found["ca"]), /BEGIN CERTIFICATE/);
      assert.deepEqual((await server.api.get("/api/v1/namespaces/default/configmaps/a"))["data"], { key: "one" });
      assert.equal(at(await server.api.get("/api/v1/namespaces/decoded"), "status", "phase"), "Active");
    });

    it("replaces a Job that has not completed when it is asked to", async () => {
      trial = new Trial(subject, server, "unready");
      const job: Program = (opts, namespace) => {
        const ns = new k8s.core.v1.Namespace("ns", { metadata: { name: namespace } }, opts);
        const annotations = { "pulumi.com/replaceUnready": "true", "pulumi.com/timeoutSeconds": "3" };
        const pod = { metadata: { labels: { stuck: "yes" } }, spec: { containers, restartPolicy: "Never" } };
        new k8s.batch.v1.Job(
          "job",
          { metadata: { name: "job", namespace: ns.metadata.name, annotations }, spec: { template: pod } },
          opts,
        );
      };
      const up = await trial.up(job);
      assert.match(up.errors, /job/i);
      assert.ok(await trial.resource("job"), up.errors);
      const preview = await trial.preview();
      assert.ok(preview.ops["job"]?.includes("replace"), JSON.stringify(preview.ops));
    });
  });
}
