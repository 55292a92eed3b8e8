import * as assert from "node:assert/strict";
import * as k8s from "@pulumi/kubernetes";
import { captureProgram } from "../../policies/capture/capture";
import { packConfig, PackSettings } from "../../policies/config";
import { resourcesOfPreview } from "../../policies/report/preview";
import { PolicyReport, report, stops, subjectOf } from "../../policies/report/report";
import { sarif } from "../../policies/report/sarif";
import { rules } from "../../policies/rules";
import { settingsSchema } from "../../stacks/settings";
import { TestResource } from "./engine-like";
import { set } from "./paths";
import { sample, SampleName } from "./sample";

const settings = (enforcement: PackSettings["enforcement"] = {}): PackSettings => ({
  ...settingsSchema.shape.policies.parse(undefined),
  environment: "development",
  enforcement,
});

/** The report of the sample with one change. */
function reported(
  change: { target: SampleName; path: string; value: unknown } | undefined,
  enforcement?: PackSettings["enforcement"],
): Promise<PolicyReport> {
  const resources = sample();
  if (change) set(resources[change.target].props, change.path, change.value);
  const config = packConfig(settings(enforcement));
  return report({ stack: "test", config, exemptions: [], resources: Object.values<TestResource>(resources) });
}
const untagged = {
  target: "deployment" as const,
  path: "spec.template.spec.containers.0.image",
  value: "docker.io/library/api:1",
};

/** The parts of SARIF that are looked at. */
interface Sarif {
  version: string;
  runs: {
    tool: { driver: { name: string; rules: { id: string; help: { text: string } }[] } };
    results: {
      ruleId: string;
      ruleIndex: number;
      level: string;
      message: { text: string };
      locations: {
        physicalLocation: { artifactLocation: { uri: string; uriBaseId: string }; region: { startLine: number } };
        logicalLocations?: { fullyQualifiedName: string }[];
      }[];
    }[];
  }[];
}

describe("the report of a stack", () => {
  it("says that nothing is wrong with what is right", async () => {
    const found = await reported(undefined);
    assert.deepEqual(found.violations, []);
    assert.equal(stops(found), false);
    assert.equal(found.rules, rules.length);
    assert.ok(found.resources > 20);
  });

  it("names rule, severity, level and resource, and stops at what is mandatory", async () => {
    const found = await reported(untagged);
    assert.deepEqual(
      found.violations.map(({ rule, severity, level, file, line }) => ({ rule, severity, level, file, line })),
      [{ rule: "image-digests", severity: "high", level: "mandatory", file: "Pulumi.test.yaml", line: 1 }],
    );
    assert.match(found.violations[0]!.urn!, /Deployment::api$/);
    assert.equal(stops(found), true);
  });

  it("follows the stack's levels", async () => {
    const eased = await reported(untagged, { "image-digests": "advisory" });
    assert.deepEqual([eased.violations[0]!.level, stops(eased)], ["advisory", false]);
    assert.deepEqual((await reported(untagged, { "image-digests": "disabled" })).violations, []);
  });

  it("names the file that made a resource", async () => {
    const graph = await captureProgram(async () => void new k8s.core.v1.ConfigMap("loose", {}), {
      project: "groundwork",
      stack: "test",
    });
    const { violations } = await report(subjectOf("test", graph, packConfig(settings())));
    assert.ok(violations.length > 0);
    for (const { file, line } of violations)
      assert.deepEqual([file, line > 0], ["tests/policies/report.test.ts", true]);
  });

  it("is SARIF 2.1.0 with every rule and its help", async () => {
    const made = sarif(await reported(untagged, { "image-digests": "advisory" })) as Sarif;
    assert.equal(made.version, "2.1.0");
    const [run] = made.runs;
    const described = run!.tool.driver.rules;
    assert.deepEqual(
      described.map(({ id }) => id),
      [...rules.map(({ id }) => id), "valid-exemptions"],
    );
    for (const { id, help } of described) assert.match(help.text, /\S.* Controls: \S/, id);
    const [result, ...others] = run!.results;
    assert.deepEqual(others, []);
    assert.equal(result!.level, "warning");
    assert.equal(described[result!.ruleIndex]!.id, result!.ruleId);
    assert.match(result!.message.text, /without a digest/);
    const [{ physicalLocation: place, logicalLocations }] = result!.locations as [
      Sarif["runs"][0]["results"][0]["locations"][0],
    ];
    assert.deepEqual(place.artifactLocation, { uri: "Pulumi.test.yaml", uriBaseId: "%SRCROOT%" });
    assert.equal(place.region.startLine, 1);
    assert.match(logicalLocations![0]!.fullyQualifiedName, /^urn:pulumi:/);
  });

  it("can be made of a preview that the engine wrote", async () => {
    const [urn, type] = ["urn:pulumi:dev::groundwork::kubernetes:core/v1:Service::web", "kubernetes:core/v1:Service"];
    const inputs = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web", namespace: "app" },
      spec: { type: "NodePort" },
    };
    const provider =
      "urn:pulumi:dev::groundwork::pulumi:providers:kubernetes::cluster::04da6b54-80e4-46f7-96ec-b56ff0331ba9";
    const steps = [{ op: "create", newState: { urn, type, inputs, provider } }, { op: "delete" }];
    const resources = resourcesOfPreview(JSON.stringify({ steps }));
    assert.equal(resources[0]!.provider, "urn:pulumi:dev::groundwork::pulumi:providers:kubernetes::cluster");
    const { violations } = await report({ stack: "dev", config: packConfig(settings()), resources });
    const rule = (name: string) => violations.filter((one) => one.rule === name).length;
    assert.deepEqual([rule("no-node-ports"), rule("explicit-provider")], [1, 0]);
    assert.throws(() => resourcesOfPreview("{}"), /pulumi preview --json/);
  });
});
