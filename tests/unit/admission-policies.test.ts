import * as assert from "node:assert/strict";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { AdmissionPolicies, AdmissionPoliciesArgs } from "../../components/cluster";
import { packConfig } from "../../policies/config";
import { rules } from "../../policies/rules";
import { settingsSchema } from "../../stacks/settings";
import { captureProgram } from "./graph/capture";
import { Graph } from "./graph/graph";
import { policyViolations } from "./graph/policies";
import * as properties from "./graph/properties";

const capture = (args?: AdmissionPoliciesArgs): Promise<Graph> =>
  captureProgram(
    async () => {
      const provider = new k8s.Provider("cluster", { kubeconfig: pulumi.secret("{}") });
      new AdmissionPolicies("admission", args, { provider });
    },
    { project: "groundwork", stack: "test" },
  );
const inCluster = rules.filter(({ cluster }) => cluster).map(({ id }) => id);

describe("the cluster's admission policies", () => {
  it("are a policy and a binding for each rule that has a form for the cluster", async () => {
    const graph = await capture();
    const policies = graph.objects("ValidatingAdmissionPolicy");
    const bindings = graph.objects("ValidatingAdmissionPolicyBinding");
    assert.deepEqual(
      policies.map(({ inputs }) => inputs["metadata"].name as string).sort(),
      inCluster.map((id) => `groundwork-${id}`).sort(),
    );
    for (const binding of bindings) {
      const policy = policies.find(({ inputs }) => inputs["metadata"].name === binding.inputs["spec"].policyName)!;
      assert.ok(graph.isAfter(binding, policy), binding.name);
      assert.deepEqual(binding.inputs["spec"].validationActions, ["Deny"]);
    }
    assert.equal(bindings.length, policies.length);
  });

  it("are named and placed like everything else, and break no rule themselves", async () => {
    const graph = await capture();
    properties.assertNames(graph);
    properties.assertExplicitProviders(graph);
    assert.deepEqual(await policyViolations(graph), []);
  });

  it("follow the stack's levels and values", async () => {
    const policies = settingsSchema.shape.policies.parse({
      enforcement: { "image-digests": "advisory", probes: "disabled" },
      quota: { requests: { cpu: "6" } },
    });
    const settings = packConfig({ ...policies, environment: "production" });
    const graph = await capture({ enforcement: "Deny", levels: policies.enforcement, settings });
    const named = (kind: string, rule: string) =>
      graph.objects(kind).find(({ inputs }) => inputs["metadata"].name === `groundwork-${rule}`);
    assert.deepEqual(named("ValidatingAdmissionPolicyBinding", "image-digests")!.inputs["spec"].validationActions, [
      "Warn",
      "Audit",
    ]);
    assert.equal(named("ValidatingAdmissionPolicy", "probes"), undefined);
    const [{ expression }] = named("ValidatingAdmissionPolicy", "resource-quota-bounds")!.inputs["spec"].validations;
    assert.match(expression, /'requests\.cpu'.*quantity\('6'\)/);
  });
});
