import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { captureProgram } from "./capture";
import { assertGolden } from "./golden";
import { Graph } from "./graph";
import { policyViolations } from "./policies";
import { soundProgram, sampleOptions, Store } from "./programs";
import * as properties from "./properties";

const capture = (main: () => unknown, options = {}): Promise<Graph> =>
  captureProgram(async () => void main(), { ...sampleOptions, ...options });

const fails = (check: () => void, finding: RegExp): void =>
  assert.throws(
    check,
    (error: assert.AssertionError) => finding.test(JSON.stringify(error.actual)) || assert.fail(String(error)),
  );

describe("a captured program", () => {
  let graph: Graph;
  before(async () => {
    graph = await capture(soundProgram);
  });

  it("has every resource with its parent, provider and protection", () => {
    assert.equal(graph.nodes.length, 8);
    const config = graph.one("kubernetes:core/v1:ConfigMap");
    assert.equal(config.parent, graph.one("sample:index:Store").urn);
    assert.equal(config.provider, graph.one("pulumi:providers:kubernetes").urn);
    assert.equal(graph.one("pulumi:providers:kubernetes").protect, true);
  });

  it("knows which values are secret", () => {
    assert.deepEqual(graph.one("kubernetes:core/v1:Secret").secrets, ["stringData"]);
    assert.ok(graph.one("pulumi:providers:kubernetes").secrets.includes("kubeconfig"));
    assert.deepEqual(graph.one("kubernetes:core/v1:ConfigMap").secrets, []);
  });

  it("knows the order over dependencies, properties, providers and parents", () => {
    const widget = graph.one(/Widget$/);
    for (const earlier of ["widgets", "store-namespace", "cluster", "store-login", "store-password", "store"]) {
      assert.ok(
        graph.isAfter(
          widget,
          graph.nodes.find(({ name }) => name === earlier)!,
        ),
        earlier,
      );
    }
    assert.equal(graph.isAfter(graph.one(/Definition$/), widget), false);
  });

  it("is run with the stack's configuration, one after the other in one process", async () => {
    const large = await capture(soundProgram, { config: { "sample:size": "large" } });
    assert.equal(large.one("kubernetes:core/v1:ConfigMap").inputs["data"].size, "large");
    assert.equal(graph.one("kubernetes:core/v1:ConfigMap").inputs["data"].size, "small");
    assert.deepEqual(large.nodes.map(({ urn }) => urn).sort(), graph.nodes.map(({ urn }) => urn).sort());
  });

  it("passes on what the program throws, and calls that nobody answers", async () => {
    await assert.rejects(
      capture(() => {
        throw new Error("no such setting");
      }),
      /no such setting/,
    );
    const asks = async () => {
      await pulumi.runtime.invoke("hcloud:index/getImage:getImage", {});
    };
    await assert.rejects(captureProgram(asks, sampleOptions), /the test has no answer for/);
  });

  it("passes on what an apply throws, instead of waiting for its resource", async () => {
    const broken = capture(() => {
      const { store } = soundProgram();
      const data = { size: store.password.apply((): string => assert.fail("no number")) };
      new k8s.core.v1.ConfigMap("broken", { data });
    });
    await assert.rejects(broken, /no number/);
  });

  it("writes a golden file anew where it differs, and fails", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-golden-"));
    try {
      assert.throws(() => assertGolden(graph, "sample", folder), /8 resources are new/);
      assertGolden(graph, "sample", folder);
      const nodes = JSON.parse(fs.readFileSync(path.join(folder, "sample.json"), "utf8")) as {
        urn: string;
        deps: string[];
      }[];
      const login = nodes.find(({ urn }) => urn.endsWith("::store-login"))!;
      assert.ok(login.deps.some((urn) => urn.endsWith("RandomPassword::store-password")));
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });
});

describe("properties of a graph", () => {
  const definitions = { "example.org": "widgets" };

  it("hold for a sound program", async () => {
    const graph = await capture(soundProgram);
    properties.assertExplicitProviders(graph);
    properties.assertParents(graph, ["cluster", "store-namespace", "store", "widgets", "widget"]);
    properties.assertNames(graph);
    properties.assertNoLeaks(graph);
    properties.assertHardened(graph);
    properties.assertAfterDefinitions(graph, definitions);
    properties.assertNamespacesFirst(graph);
    properties.assertNothingInApply(graph);
  });

  it("find a missing provider", async () => {
    const graph = await capture(() => new k8s.core.v1.ConfigMap("loose", {}));
    fails(() => properties.assertExplicitProviders(graph), /ConfigMap \\"loose\\"/);
    assert.ok((await policyViolations(graph)).some(({ rule }) => rule === "explicit-provider"));
  });

  it("find a missing parent", async () => {
    const graph = await capture(soundProgram);
    fails(
      () => properties.assertParents(graph, ["cluster", "store-namespace", "store", "widgets"]),
      /Widget \\"widget\\"/,
    );
  });

  it("find names that are not kebab-case, not the component's, or too long", async () => {
    class Wrong extends pulumi.ComponentResource {
      constructor(name: string) {
        super("sample:index:Wrong", name, {});
        new k8s.core.v1.ConfigMap("other-config", {}, { parent: this });
        new k8s.core.v1.ConfigMap(`${name}-CamelCase`, {}, { parent: this });
        new k8s.core.v1.ConfigMap(`${name}-long`, { metadata: { name: "x".repeat(64) } }, { parent: this });
      }
    }
    const graph = await capture(() => new Wrong("wrong"));
    fails(() => properties.assertNames(graph), /other-config.*not named after/);
    fails(() => properties.assertNames(graph), /CamelCase.*kebab/);
    fails(() => properties.assertNames(graph), /longer than 63/);
  });

  it("find a secret that is shown, plain or in base64", async () => {
    for (const show of [
      (text: string) => `password=${text}`,
      (text: string) => Buffer.from(`a:${text}`).toString("base64"),
    ]) {
      const graph = await capture(() => {
        const { store, provider } = soundProgram();
        const data = { leak: pulumi.unsecret(store.password).apply(show) };
        new k8s.core.v1.ConfigMap("leaky", { data }, { provider });
      });
      fails(() => properties.assertNoLeaks(graph), /ConfigMap \\"leaky\\" shows a secret in data\.leak/);
    }
  });

  it("find a pod that is not hardened", async () => {
    const graph = await capture(
      () => new k8s.core.v1.Pod("soft", { spec: { containers: [{ name: "soft", image: "a:1" }] } }),
    );
    fails(() => properties.assertHardened(graph), /container \\"soft\\": readOnlyRootFilesystem/);
  });

  it("find a custom resource that does not wait for its definition, or whose definition nobody installs", async () => {
    const graph = await capture(() => {
      const { provider } = soundProgram();
      new k8s.apiextensions.CustomResource("early", { apiVersion: "example.org/v1", kind: "Widget" }, { provider });
    });
    fails(
      () => properties.assertAfterDefinitions(graph, definitions),
      /Widget \\"early\\" does not come after widgets/,
    );
    fails(() => properties.assertAfterDefinitions(graph, {}), /nobody is known to install example\.org/);
  });

  it("find an object that does not wait for its namespace", async () => {
    const graph = await capture(() => {
      const { provider } = soundProgram();
      new Store("second", { namespace: "store" }, { provider });
    });
    fails(() => properties.assertNamespacesFirst(graph), /second-login/);
  });

  it("find a resource that is made in apply", async () => {
    const graph = await capture(() => {
      const { namespace, provider } = soundProgram();
      namespace.metadata.name.apply(
        (name) => new k8s.core.v1.ConfigMap("late", { metadata: { namespace: name } }, { provider }),
      );
    });
    fails(() => properties.assertNothingInApply(graph), /ConfigMap \\"late\\"/);
    assert.equal(graph.nodes.filter(({ insideApply }) => insideApply).length, 1);
  });

  it("find what the policy pack refuses, secret values included", async () => {
    const graph = await capture(() => {
      const { store, provider, namespace } = soundProgram();
      const metadata = { name: "leaky", namespace: namespace.metadata.name };
      new k8s.core.v1.ConfigMap("leaky", { metadata, data: { motto: store.password } }, { provider });
    });
    const found = await policyViolations(graph);
    assert.ok(
      found.some(({ message }) => message.startsWith("ConfigMap store/leaky has a secret value in data.motto.")),
    );
    assert.ok(found.some(({ message }) => message.startsWith('Namespace "store" has no LimitRange.')));
  });
});
