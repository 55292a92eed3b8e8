import * as assert from "node:assert/strict";
import { containersOf, podsOf, podTitle } from "../../policies/pods";
import { toResource } from "../../policies/resource";
import { rules } from "../../policies/rules";
import { unknown } from "../../policies/unknown";
import { runPack, TestResource, unknownString } from "./engine-like";
import { paths, set } from "./paths";
import { digest } from "./sample";

const template = (name: string) => ({ spec: { containers: [{ name }], initContainers: [{ name: "init" }] } });

/** A resource of a kind with the given fields. */
const resource = (apiVersion: string, kind: string, props: Record<string, unknown>) => ({
  urn: `urn:pulumi:test::groundwork::kubernetes:${apiVersion}:${kind}::it`,
  type: `kubernetes:${apiVersion}:${kind}`,
  name: "it",
  props: { apiVersion, kind, metadata: { name: "it", namespace: "app" }, ...props },
});
const found = (apiVersion: string, kind: string, props: Record<string, unknown>) =>
  podsOf(toResource(resource(apiVersion, kind, props)));

describe("the pods of a resource", () => {
  it("are found where each built-in kind keeps them", () => {
    for (const kind of ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"]) {
      const [pod] = found("apps/v1", kind, { spec: { template: template("main") } });
      assert.deepEqual(
        containersOf(pod!).map(({ title }) => title),
        ['init container "init"', 'container "main"'],
      );
      assert.equal(podTitle(pod!), `${kind} app/it`);
      assert.equal(pod!.service, true);
    }
    assert.equal(found("v1", "Pod", template("main")).length, 1);
    assert.equal(found("batch/v1", "Job", { spec: { template: template("main") } })[0]!.service, false);
    const cron = { spec: { jobTemplate: { spec: { template: template("main") } } } };
    assert.equal(found("batch/v1", "CronJob", cron)[0]!.spec.containers![0]!.name, "main");
  });

  it("are found anywhere in lists and custom resources, with their place", () => {
    const pods = found("example.org/v1", "Farm", {
      spec: { barns: [{ template: template("hen") }, { template: template("cow") }] },
    });
    assert.deepEqual(pods.map(podTitle), [
      "Farm app/it (spec.barns.0.template)",
      "Farm app/it (spec.barns.1.template)",
    ]);
    assert.equal(found("v1", "List", { items: [{ kind: "Pod", ...template("main") }] }).length, 1);
  });

  it("are none in what has none, in definitions, and in what is not known yet", () => {
    assert.deepEqual(found("v1", "ConfigMap", { data: { "pod.yaml": "spec: {containers: []}" } }), []);
    assert.deepEqual(
      found("apiextensions.k8s.io/v1", "CustomResourceDefinition", { spec: { x: template("main") } }),
      [],
    );
    assert.deepEqual(found("apps/v1", "Deployment", { spec: unknown }), []);
    assert.deepEqual(found("apps/v1", "Deployment", {}), []);
  });
});

describe("a CloudNativePG cluster", () => {
  const cluster = (spec: Record<string, unknown> = {}): TestResource =>
    resource("postgresql.cnpg.io/v1", "Cluster", {
      spec: {
        instances: 2,
        imageName: `ghcr.io/cloudnative-pg/postgresql:17@${digest}`,
        priorityClassName: "groundwork-data",
        resources: { requests: { cpu: "1", memory: "1Gi" }, limits: { cpu: "1", memory: "1Gi" } },
        ...spec,
      },
    });
  const podRules = rules.filter(({ id, scope }) => scope === "resource" || id === "pod-disruption-budgets");
  const refused = async (spec: Record<string, unknown>) =>
    [...new Set((await runPack([cluster(spec)], { rules: podRules })).map(({ rule }) => rule))].sort();
  /** What upstream's image and instance manager need; exempted in this repository. */
  const always = ["high-user-ids", "no-service-account-token"];

  it("is judged as the pods that its operator makes of it", async () => {
    assert.deepEqual(await refused({}), always);
    assert.deepEqual(await refused({ postgresUID: 10026, postgresGID: 10026 }), ["no-service-account-token"]);
    assert.deepEqual(
      await refused({ imageName: "ghcr.io/cloudnative-pg/postgresql:17" }),
      [...always, "image-digests"].sort(),
    );
    assert.deepEqual(await refused({ resources: undefined }), [...always, "resource-limits"].sort());
    assert.deepEqual(await refused({ priorityClassName: undefined }), [...always, "priority-class"].sort());
    assert.deepEqual(await refused({ enablePDB: false }), [...always, "pod-disruption-budgets"].sort());
    assert.deepEqual(
      await refused({ affinity: { enablePodAntiAffinity: false } }),
      [...always, "topology-spread"].sort(),
    );
    assert.deepEqual(await refused({ seccompProfile: { type: "Unconfined" } }), [...always, "seccomp-profile"].sort());
    const env = [{ name: "KEY", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }];
    assert.deepEqual(await refused({ env }), [...always, "no-secret-env"].sort());
  });

  it("may have values that are not known yet", async () => {
    const complete = { postgresUID: 10026, postgresGID: 10026, env: [{ name: "A", value: "b" }] };
    for (const path of paths(cluster(complete).props)) {
      const changed = cluster(structuredClone(complete));
      set(changed.props, path, unknownString);
      const others = (await runPack([changed], { rules: podRules })).filter(({ rule }) => !always.includes(rule));
      assert.deepEqual(others, [], path);
    }
  });
});
