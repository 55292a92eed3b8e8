import { strict as assert } from "node:assert";
import * as k8s from "@pulumi/kubernetes";
import { ApiServer, at, KubeObject, until } from "../apiserver";
import { Provider, Subject, subjects } from "../contract/subjects";
import { useCluster } from "./cluster";
import { comparable, Program, Run, Trial, TrialOptions } from "./trial";

const canary = "canary-5f1e0c";
/** What each scenario kept, by plugin kind: the official provider and the stand-in must agree. */
const kept = new Map<string, Map<string, unknown>>();

const app = { app: "web" };

/** A small application; the parts that scenarios change are parameters. */
function application(
  change: { image?: string; data?: string; port?: number; labels?: Record<string, string> } = {},
): Program {
  return (opts, namespace) => {
    const ns = new k8s.core.v1.Namespace("ns", { metadata: { name: namespace } }, opts);
    const inside = ns.metadata.name;
    new k8s.core.v1.ConfigMap(
      "settings",
      { metadata: { namespace: inside }, data: { key: change.data ?? "one" } },
      opts,
    );
    new k8s.core.v1.Secret(
      "password",
      { metadata: { name: "password", namespace: inside }, stringData: { value: canary } },
      opts,
    );
    new k8s.apps.v1.Deployment(
      "web",
      {
        metadata: { name: "web", namespace: inside, labels: change.labels ?? { tier: "front", extra: "yes" } },
        spec: {
          replicas: 2,
          selector: { matchLabels: app },
          template: {
            metadata: { labels: app },
            spec: {
              containers: [{ name: "web", image: change.image ?? "web:1", resources: { requests: { cpu: "0.1" } } }],
            },
          },
        },
      },
      opts,
    );
    new k8s.core.v1.Service(
      "web-service",
      { metadata: { name: "web", namespace: inside }, spec: { selector: app, ports: [{ port: change.port ?? 80 }] } },
      opts,
    );
  };
}

for (const subject of subjects("kubernetes" as Provider)) {
  describe(`kubernetes provider (${subject.kind})`, function () {
    this.timeout(120_000);
    const cluster = useCluster();
    let server: ApiServer;
    let trial: Trial;
    before(() => void (server = cluster()));
    const begin = (name: string, options?: TrialOptions) => (trial = new Trial(subject, server, name, options));
    afterEach(() => trial?.end());

    it("creates objects that are ready, and changes nothing the second time", async () => {
      begin("create");
      const preview = await trial.preview(application());
      assert.equal(preview.failed, false, preview.errors);
      assert.deepEqual(Object.values(preview.ops), [["create"], ["create"], ["create"], ["create"], ["create"]]);
      const up = await trial.up();
      assert.equal(up.failed, false, up.errors);
      const web = await server.api.get(trial.path("apps/v1/deployments", "web"));
      assert.equal(at(web, "status", "availableReplicas"), 2);
      const again = await trial.up();
      assert.deepEqual([again.ops, again.failed], [{}, false], again.errors);
      await keep(
        subject,
        "create",
        trial,
        ["settings", "password", "web", "web-service"],
        [web, await server.api.get(trial.path("secrets", "password"))],
      );
    });

    it("keeps Secrets out of the state and its history", async () => {
      begin("secrecy");
      const up = await trial.up(application());
      assert.equal(up.failed, false, up.errors);
      const secret = await server.api.get(trial.path("secrets", "password"));
      assert.equal(Buffer.from(at<string>(secret, "data", "value") ?? "", "base64").toString(), canary);
      const files = trial.files();
      assert.ok(files.includes('"password"'), "the state was read");
      assert.ok(!files.includes(canary) && !files.includes(Buffer.from(canary).toString("base64")));
    });

    it("updates in place, takes removed fields away, replaces a ConfigMap by a new name", async () => {
      begin("update");
      assert.equal((await trial.up(application())).failed, false);
      const change = application({ image: "web:2", data: "two", port: 81, labels: { tier: "back" } });
      const preview = await trial.preview(change);
      // The official plugin's dry run keeps the old port beside the new one, which the server refuses.
      if (subject.kind === "stand-in") assert.equal(preview.failed, false, preview.errors);
      else assert.match(preview.errors, /spec\.ports\[1\]/);
      const up = await trial.up();
      assert.equal(up.failed, false, up.errors);
      assert.deepEqual(preview.diffs, up.diffs);
      assert.deepEqual(up.ops["web"], ["update"]);
      assert.ok(up.ops["settings"]?.includes("replace"));
      const web = await server.api.get(trial.path("apps/v1/deployments", "web"));
      assert.deepEqual(web.metadata.labels, { tier: "back" });
      assert.equal(at(web, "spec", "template", "spec", "containers", 0, "image"), "web:2");
      const service = await server.api.get(trial.path("services", "web"));
      assert.deepEqual(
        at<{ port: number }[]>(service, "spec", "ports")?.map((port) => port.port),
        [81],
      );
      const maps = await server.api.list(trial.path("configmaps"));
      assert.deepEqual(
        maps.filter((map) => map.metadata.name.startsWith("settings")).map((map) => at(map, "data", "key")),
        ["two"],
      );
      assert.deepEqual((await trial.up()).ops, {});
      await keep(subject, "update", trial, ["web", "web-service"], [up.ops, up.diffs, web]);
    });

    it("deletes before it replaces an object whose name is fixed", async () => {
      begin("replace");
      const bound =
        (role: string): Program =>
        (opts, namespace) => {
          const ns = new k8s.core.v1.Namespace("ns", { metadata: { name: namespace } }, opts);
          new k8s.rbac.v1.RoleBinding(
            "binding",
            {
              metadata: { name: "binding", namespace: ns.metadata.name },
              roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
              subjects: [{ kind: "ServiceAccount", name: "default", namespace: ns.metadata.name }],
            },
            opts,
          );
        };
      assert.equal((await trial.up(bound("view"))).failed, false);
      const up = await trial.up(bound("edit"));
      assert.equal(up.failed, false, up.errors);
      assert.deepEqual(up.ops["binding"], ["delete-replaced", "replace", "create-replacement"]);
      const binding = await server.api.get(trial.path("rbac.authorization.k8s.io/v1/rolebindings", "binding"));
      assert.equal(at(binding, "roleRef", "name"), "edit");
      await keep(subject, "replace", trial, ["binding"], [up.ops, up.diffs]);
    });

    it("finds drift and deleted objects in a refresh, and mends them", async () => {
      begin("drift");
      assert.equal((await trial.up(application())).failed, false);
      await server.api.patch(trial.path("apps/v1/deployments", "web"), { metadata: { labels: { tier: "changed" } } });
      await server.api.delete(trial.path("secrets", "password"));
      const refresh = await trial.refresh();
      assert.equal(refresh.failed, false, refresh.errors);
      assert.equal(await trial.resource("password"), undefined);
      const up = await trial.up();
      // The label belongs to whoever changed it last: the provider says so instead of taking it back unasked.
      assert.deepEqual([up.ops["web"], up.ops["password"]], [["update"], ["create"]]);
      assert.match(up.errors, /conflict/i);
      await keep(subject, "drift", trial, ["password"], [up.ops, up.diffs]);
    });

    it("takes fields back from another manager with patchForce", async () => {
      begin("force", { provider: { enablePatchForce: true } });
      assert.equal((await trial.up(application())).failed, false);
      await server.api.patch(trial.path("apps/v1/deployments", "web"), { metadata: { labels: { tier: "changed" } } });
      assert.equal((await trial.refresh()).failed, false);
      const up = await trial.up();
      assert.equal(up.failed, false, up.errors);
      const web = await server.api.get(trial.path("apps/v1/deployments", "web"));
      assert.equal(web.metadata.labels?.["tier"], "front");
      await keep(subject, "force", trial, ["web"], [up.ops, up.diffs]);
    });

    it("imports an object that somebody else made", async () => {
      begin("import");
      const { namespace } = trial;
      await server.api.post("/api/v1/namespaces", { metadata: { name: namespace } });
      await server.api.post(trial.path("configmaps"), { metadata: { name: "found" }, data: { key: "one" } });
      const importing =
        (data: string, options: { import?: string } = {}): Program =>
        (opts) => {
          new k8s.core.v1.ConfigMap(
            "found",
            { metadata: { name: "found", namespace }, data: { key: data } },
            { ...opts, ...options },
          );
        };
      const up = await trial.up(importing("one", { import: `${namespace}/found` }));
      assert.equal(up.failed, false, up.errors);
      assert.deepEqual(up.ops["found"], ["import"]);
      assert.deepEqual((await trial.preview(importing("one"))).ops, {});
      await keep(subject, "import", trial, ["found"], [up.ops]);
    });

    it("says why an object did not become ready, keeps it, and goes on with it next time", async () => {
      begin("await");
      const pods =
        (stuck: string): Program =>
        (opts, namespace) => {
          const ns = new k8s.core.v1.Namespace("ns", { metadata: { name: namespace } }, opts);
          const spec = { containers: [{ name: "slow", image: "slow:1" }] };
          new k8s.apps.v1.Deployment(
            "slow",
            {
              metadata: {
                name: "slow",
                namespace: ns.metadata.name,
                annotations: { "pulumi.com/timeoutSeconds": "4" },
              },
              spec: { selector: { matchLabels: app }, template: { metadata: { labels: { ...app, stuck } }, spec } },
            },
            opts,
          );
        };
      const up = await trial.up(pods("yes"));
      assert.equal(up.failed, true);
      assert.match(up.errors, /slow/);
      assert.match(up.errors, /timed out/);
      const resource = await trial.resource("slow");
      assert.equal(resource?.id, `${trial.namespace}/slow`);
      assert.ok((resource?.initErrors?.length ?? 0) > 0);
      const next = await trial.up(pods("no"));
      assert.equal(next.failed, false, next.errors);
      assert.equal((await trial.resource("slow"))?.initErrors, undefined);
      await keep(subject, "await", trial, ["slow"], [up.ops, next.ops]);
    });

    it("names the finalizer that holds a deletion", async () => {
      begin("finalizer");
      const held: Program = (opts, namespace) => {
        const ns = new k8s.core.v1.Namespace("ns", { metadata: { name: namespace } }, opts);
        new k8s.core.v1.ConfigMap(
          "held",
          {
            metadata: { name: "held", namespace: ns.metadata.name, annotations: { "pulumi.com/timeoutSeconds": "2" } },
          },
          opts,
        );
      };
      assert.equal((await trial.up(held)).failed, false);
      await server.api.patch(trial.path("configmaps", "held"), { metadata: { finalizers: ["example.org/hold"] } });
      const destroy = await trial.destroy();
      assert.equal(destroy.failed, true);
      if (subject.kind === "stand-in") assert.match(destroy.errors, /example\.org\/hold/);
      assert.ok(await trial.resource("held"), "it stays in the state");
      await server.api.patch(trial.path("configmaps", "held"), { metadata: { finalizers: null } });
      assert.equal((await trial.destroy()).failed, false);
      assert.deepEqual(await trial.state(), []);
      await until(async () => !(await server.api.find(`/api/v1/namespaces/${trial.namespace}`)), 5_000);
    });

    it("makes a custom resource of a kind that the same run defines, and waits for its condition", async () => {
      begin("custom");
      const group = `${trial.namespace}.example.org`;
      const thing: Program = (opts, namespace) => {
        const ns = new k8s.core.v1.Namespace("ns", { metadata: { name: namespace } }, opts);
        const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
        const version = { name: "v1", served: true, storage: true, schema, subresources: { status: {} } };
        const names = { kind: "Thing", plural: "things", singular: "thing" };
        const crd = new k8s.apiextensions.v1.CustomResourceDefinition(
          "things",
          { metadata: { name: `things.${group}` }, spec: { group, scope: "Namespaced", names, versions: [version] } },
          opts,
        );
        new k8s.apiextensions.CustomResource(
          "thing",
          {
            apiVersion: `${group}/v1`,
            kind: "Thing",
            metadata: {
              name: "thing",
              namespace: ns.metadata.name,
              annotations: { "pulumi.com/waitFor": "condition=Ready" },
            },
            spec: { size: 3 },
          },
          { ...opts, dependsOn: [crd] },
        );
      };
      const up = await trial.up(thing);
      assert.equal(up.failed, false, up.errors);
      const live = await server.api.get(trial.path(`${group}/v1/things`, "thing"));
      assert.equal(at(live, "status", "conditions", 0, "status"), "True");
      assert.deepEqual((await trial.up()).ops, {});
      await keep(subject, "custom", trial, ["thing"], [live]);
    });

    it("refuses to create over an existing object unless upsertExistingObjects is set", async () => {
      const program: Program = (opts, namespace) =>
        void new k8s.core.v1.ConfigMap("mine", { metadata: { name: "mine", namespace }, data: { key: "new" } }, opts);
      begin("exists");
      await server.api.post("/api/v1/namespaces", { metadata: { name: trial.namespace } });
      await server.api.post(trial.path("configmaps"), { metadata: { name: "mine" }, data: { key: "old" } });
      const up = await trial.up(program);
      assert.equal(up.failed, true);
      assert.match(up.errors, /already exists/);
      assert.equal(at(await server.api.get(trial.path("configmaps", "mine")), "data", "key"), "old");
      await trial.end();

      begin("upsert", { provider: { upsertExistingObjects: true, enablePatchForce: true } });
      await server.api.post("/api/v1/namespaces", { metadata: { name: trial.namespace } });
      await server.api.post(trial.path("configmaps"), { metadata: { name: "mine" }, data: { key: "old" } });
      const upsert = await trial.up(program);
      assert.equal(upsert.failed, false, upsert.errors);
      assert.equal(at(await server.api.get(trial.path("configmaps", "mine")), "data", "key"), "new");
      await keep(subject, "upsert", trial, ["mine"], [upsert.ops]);
    });

    it("goes on with an object whose create the state has missed", async () => {
      begin("missed", { provider: { upsertExistingObjects: true } });
      assert.equal((await trial.up(application())).failed, false);
      await trial.forget("web");
      const again = await trial.up();
      assert.equal(again.failed, false, again.errors);
      assert.deepEqual(again.ops["web"], ["create"]);
      if (subject.kind === "official") return; // its new manager shares the fields with the lost one, and conflicts
      const change = await trial.up(application({ image: "web:2", labels: { tier: "back" } }));
      assert.equal(change.failed, false, change.errors);
      const web = await server.api.get(trial.path("apps/v1/deployments", "web"));
      assert.deepEqual(web.metadata.labels, { tier: "back" });
    });

    it("owns only its own fields with a patch resource", async () => {
      begin("patch");
      const patched =
        (labels: Record<string, string>): Program =>
        (opts, namespace) =>
          void new k8s.core.v1.NamespacePatch("label", { metadata: { name: namespace, labels } }, opts);
      await server.api.post("/api/v1/namespaces", { metadata: { name: trial.namespace, labels: { own: "1" } } });
      const up = await trial.up(patched({ added: "1" }));
      assert.equal(up.failed, false, up.errors);
      assert.equal((await trial.up(patched({ other: "1" }))).failed, false);
      assert.deepEqual(await labelsOf(server, trial), { own: "1", other: "1" });
      assert.equal((await trial.destroy()).failed, false);
      assert.deepEqual(await labelsOf(server, trial), { own: "1" });
    });
  });
}

describe("kubernetes provider: stand-in and official plugin", function () {
  this.timeout(180_000);
  const present = subjects("kubernetes" as Provider);
  const cluster = useCluster();

  it(`agree on objects and state (${present.map((subject) => subject.kind).join(", ")} present)`, () => {
    assert.ok(kept.size > 0, "scenarios ran");
    for (const [scenario, results] of kept) {
      assert.ok(results.size > 0, scenario);
      if (results.has("official")) assert.deepEqual(results.get("stand-in"), results.get("official"), scenario);
    }
  });

  for (const first of present) {
    for (const second of present.filter((other) => other !== first)) {
      it(`lets a stack change from the ${first.kind} plugin to the ${second.kind} one and go on`, async () => {
        const trial = new Trial(first, cluster(), `from-${first.kind}`);
        try {
          assert.equal((await trial.up(application())).failed, false);
          trial.useInstead(second);
          const same = await trial.up();
          assert.deepEqual([same.ops, same.failed], [{}, false], same.errors);
          const change = await trial.up(application({ image: "web:2", labels: { tier: "back" } }));
          assert.equal(change.failed, false, change.errors);
          assert.deepEqual(change.ops, { web: ["update"] });
          const web = await cluster().api.get(trial.path("apps/v1/deployments", "web"));
          assert.deepEqual(web.metadata.labels, { tier: "back" });
        } finally {
          await trial.end();
        }
      });
    }
  }
});

async function labelsOf(server: ApiServer, trial: Trial): Promise<Record<string, string>> {
  const namespace: KubeObject = await server.api.get(`/api/v1/namespaces/${trial.namespace}`);
  return Object.fromEntries(
    Object.entries(namespace.metadata.labels ?? {}).filter(([key]) => !key.includes("kubernetes.io")),
  );
}

/** Notes what a scenario came to: resources of the state, and whatever else must be alike. */
async function keep(
  subject: Subject,
  scenario: string,
  trial: Trial,
  names: string[],
  more: (KubeObject | Run["ops"])[],
): Promise<void> {
  const state = await Promise.all(names.map((name) => trial.resource(name)));
  const resources = state.map((resource) => ({
    id: resource?.id,
    inputs: resource?.inputs,
    outputs: resource?.outputs,
  }));
  const results = kept.get(scenario) ?? new Map<string, unknown>();
  kept.set(scenario, results.set(subject.kind, comparable([resources, more], trial.namespace)));
}
