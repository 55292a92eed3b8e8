import { strict as assert } from "node:assert";
import * as fs from "node:fs";
import { Graph } from "./graph/graph";
import { canary } from "./graph/mocks";
import { capture, find, valueOf } from "./fixtures/capture";
import { makeFoundation, makePlatform } from "./fixtures/platform";
import { keyOf, ManifestBundle, planManifest, PlatformNamespace } from "../../components/workload";
import { FakeArtifacts } from "./fixtures/artifacts";

const artifacts = new FakeArtifacts();
const manifest = artifacts.manifest("cloudnative-pg");

describe("an upstream manifest", () => {
  const plan = planManifest(fs.readFileSync(manifest.path, "utf8"));
  const planned = (key: string) => plan.objects.find(({ object }) => keyOf(object) === key)!;

  it("is read without its namespaces and definitions", () => {
    assert.equal(plan.hasDefinitions, true);
    const kinds = plan.objects.map(({ object }) => object.kind);
    assert.ok(!kinds.includes("Namespace") && !kinds.includes("CustomResourceDefinition"));
  });

  it("is sorted into permissions, configuration, webhooks and pods", () => {
    assert.equal(planned("ServiceAccount/cnpg-manager").phase, "access");
    assert.equal(planned("ConfigMap/cnpg-default-monitoring").phase, "config");
    assert.equal(planned("MutatingWebhookConfiguration/cnpg-mutating-webhook-configuration").phase, "webhooks");
    assert.equal(planned("Deployment/cnpg-controller-manager").phase, "workloads");
    assert.equal(planned("Service/cnpg-webhook-service").phase, "workloads");
  });

  it("tells a custom resource's scope from its definition", () => {
    const definition = (scope: string) =>
      `kind: CustomResourceDefinition\napiVersion: apiextensions.k8s.io/v1\nmetadata: {name: x}\nspec: {scope: ${scope}, names: {kind: Issuer}}\n`;
    const issuer = `apiVersion: example.org/v1\nkind: Issuer\nmetadata: {name: one}\n`;
    const scopeOf = (scope: string) => planManifest(`${definition(scope)}---\n${issuer}`).objects[0]!;
    assert.deepEqual([scopeOf("Cluster").namespaced, scopeOf("Cluster").phase], [false, "custom"]);
    assert.equal(scopeOf("Namespaced").namespaced, true);
  });

  it("is refused where a document is no object", () => {
    assert.throws(() => planManifest("just: text\n"), /not a Kubernetes object/);
  });

  const bundle = (args: object, namespace = "cnpg-system") =>
    capture(() => {
      const { foundation, provider } = makeFoundation();
      const quota = { pods: 1, requests: { cpu: "1", memory: "1Gi" }, limits: { cpu: "1", memory: "1Gi" } } as const;
      const place = new PlatformNamespace(namespace, { foundation, tier: "platform", quota }, { provider });
      return new ManifestBundle("cnpg", { manifest, namespace: place, ...args }, { provider });
    });

  it("is refused where a patch names what upstream no longer has", async () => {
    const patch = { "Deployment/old-name": (same: any) => same };
    await assert.rejects(bundle({ patch }), /the manifest cloudnative-pg has no Deployment\/old-name/);
  });

  it("is refused where an object is outside the bundle's namespace", async () => {
    await assert.rejects(
      bundle({}, "other"),
      /ServiceAccount\/cnpg-manager is in namespace cnpg-system, and not in other/,
    );
  });
});

describe("PostgreSQL", () => {
  let graph: Graph;
  let database: ReturnType<typeof makePlatform>["database"];
  before(async () => {
    const captured = await capture(makePlatform);
    graph = captured.graph;
    database = captured.result.database;
  });

  const operator = () => find(graph, "Deployment", "cnpg-cnpg-controller-manager");
  const cluster = () => find(graph, "Cluster", "app-db");

  it("has an operator of the catalogue's image, which is also the one that it puts into instances", () => {
    const [manager] = operator().inputs.spec.template.spec.containers;
    const { ref } = artifacts.image("cloudnative-pg");
    assert.equal(manager.image, ref);
    assert.equal(manager.env.find((variable: any) => variable.name === "OPERATOR_IMAGE_NAME").value, ref);
    assert.equal(manager.imagePullPolicy, "IfNotPresent");
  });

  it("starts the operator after definitions, permissions, webhooks and policies", () => {
    const earlier = [
      find(graph, "CustomResourceDefinition", "cnpg-crds"),
      find(graph, "RoleBinding", "cnpg-in-app"),
      find(graph, "ClusterRoleBinding", "cnpg-cluster-scope"),
      find(graph, "MutatingWebhookConfiguration", "cnpg-cnpg-mutating-webhook-configuration"),
      find(graph, "NetworkPolicy", "cnpg-to-kube-api"),
      find(graph, "NetworkPolicy", "cnpg-webhooks"),
    ];
    for (const one of earlier) assert.ok(graph.isAfter(operator(), one), `not after ${one.name}`);
  });

  it("lets the operator see its own namespace and those that it serves, and no Secret of any other", () => {
    const [{ env }] = operator().inputs.spec.template.spec.containers;
    assert.equal(env.find((variable: any) => variable.name === "WATCH_NAMESPACE").value, "cnpg-system,app");
    const bound = graph.nodes
      .filter(({ type }) => /:(Cluster)?RoleBinding$/.test(type))
      .map(({ inputs }) => [inputs.kind, inputs.metadata.namespace, inputs.roleRef.name]);
    assert.deepEqual(bound.sort(), [
      ["ClusterRoleBinding", undefined, "cnpg-manager-cluster-scope"],
      ["RoleBinding", "app", "cnpg-manager"],
      ["RoleBinding", "cnpg-system", "cnpg-manager"],
    ]);
    const { rules } = find(graph, "ClusterRole", "cnpg-cluster-scope").inputs;
    assert.ok(!rules.some((rule: any) => rule.resources.includes("secrets")));
  });

  it("makes a cluster when the operator is ready, and gives out its endpoint when the cluster is", async () => {
    assert.ok(graph.isAfter(cluster(), operator()));
    assert.equal(cluster().inputs.metadata.annotations["pulumi.com/waitFor"], "condition=Ready");
    assert.equal(await valueOf(database.endpoint.ready), "uid-of-app-db");
  });

  it("protects its data unless told otherwise", () => {
    assert.equal(cluster().protect, true);
  });

  it("puts no two copies of its data on one machine, also where a machine is gone", () => {
    const { affinity } = cluster().inputs.spec;
    assert.deepEqual(affinity, { podAntiAffinityType: "required", topologyKey: "kubernetes.io/hostname" });
  });

  it("takes connections with TLS and a password, and no others", () => {
    assert.deepEqual(cluster().inputs.spec.postgresql.pg_hba, [
      "hostssl all all all scram-sha-256",
      "hostnossl all all all reject",
    ]);
  });

  it("keeps the login in a Secret that is one in the state too", () => {
    const login = find(graph, "Secret", "app-db-login");
    assert.deepEqual(login.secrets, ["stringData"]);
    assert.deepEqual(login.inputs.stringData, {
      host: "app-db-rw.app.svc",
      port: "5432",
      dbname: "app",
      username: "app",
      password: `${canary}-app-db-password`,
    });
    assert.equal(cluster().inputs.spec.bootstrap.initdb.secret.name, "app-db-login");
  });

  it("lets instances reach each other, the API server, and be reached by the operator and by consumers alone", () => {
    const instances = { matchLabels: { "cnpg.io/cluster": "app-db" } };
    const policies = graph.nodes.filter(
      ({ type, inputs }) =>
        type.endsWith(":NetworkPolicy") && JSON.stringify(inputs.spec.podSelector) === JSON.stringify(instances),
    );
    assert.deepEqual(policies.map(({ name }) => name).sort(), [
      "app-db-from-api",
      "app-db-peers",
      "app-db-status-from-cnpg",
      "app-db-to-kube-api",
    ]);
  });
});
