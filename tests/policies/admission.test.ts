import * as assert from "node:assert/strict";
import { admissionPolicies, AdmissionOptions } from "../../policies/admission";
import type { Exemption } from "../../policies/exemptions";
import { rules } from "../../policies/rules";

const now = new Date("2026-11-20T12:00:00Z");
const exemption: Exemption = {
  resource: "Deployment/app/api",
  rule: "no-privileged-containers",
  reason: "The fixture needs every device of its host for this test.",
  owner: "tests",
  expires: "2027-01-31",
};
const made = (change: Partial<AdmissionOptions> = {}) =>
  admissionPolicies(rules, { mode: "Deny", exemptions: [], now, ...change });
const policyOf = (rule: string, change?: Partial<AdmissionOptions>) =>
  made(change).find((one) => one.rule === rule) ?? assert.fail(`no policy for ${rule}`);
const conditions = (rule: string, change?: Partial<AdmissionOptions>): string[] =>
  (policyOf(rule, change).policy.spec["matchConditions"] as { name: string; expression: string }[])
    .filter(({ name }) => name.startsWith("exemption"))
    .map(({ expression }) => expression);

describe("the admission policies made of the rules", () => {
  it("are one policy with one binding for each rule that has a form for the cluster", () => {
    const expected = rules.filter(({ cluster }) => cluster).map(({ id }) => id);
    assert.deepEqual(
      made().map(({ rule }) => rule),
      expected,
    );
    for (const { rule, policy, binding } of made()) {
      assert.equal(policy.metadata.name, `groundwork-${rule}`);
      assert.equal(policy.spec["failurePolicy"], "Fail");
      assert.equal(binding.spec.policyName, policy.metadata.name);
      assert.deepEqual(binding.spec.validationActions, ["Deny"]);
      assert.match(JSON.stringify(policy.spec["validations"]), new RegExp(`\\(groundwork: ${rule}\\)`));
    }
  });

  it("never judge the system's namespaces, and those that are named", () => {
    const selector = (change?: Partial<AdmissionOptions>) =>
      policyOf("probes", change).policy.spec["matchConstraints"].namespaceSelector.matchExpressions[0] as {
        operator: string;
        values: string[];
      };
    assert.deepEqual(selector(), {
      key: "kubernetes.io/metadata.name",
      operator: "NotIn",
      values: ["kube-system", "kube-public", "kube-node-lease"],
    });
    assert.ok(selector({ exemptNamespaces: ["lab"] }).values.includes("lab"));
  });

  it("warn, note or stay away as the stack's levels and mode say", () => {
    const actions = (change: Partial<AdmissionOptions>) => policyOf("probes", change).binding.spec.validationActions;
    assert.deepEqual(actions({ mode: "Warn" }), ["Warn", "Audit"]);
    assert.deepEqual(actions({ mode: "Audit" }), ["Audit"]);
    assert.deepEqual(actions({ levels: { probes: "advisory" } }), ["Warn", "Audit"]);
    assert.deepEqual(actions({ mode: "Audit", levels: { probes: "advisory" } }), ["Audit"]);
    assert.ok(!made({ levels: { probes: "disabled" } }).some(({ rule }) => rule === "probes"));
  });

  it("spare what is exempted from their rule, until the exemption ends", () => {
    const [expression] = conditions(exemption.rule, { exemptions: [exemption] });
    assert.match(expression!, /^!\(request\.namespace == 'app' && .*object\.kind == 'Deployment'/);
    assert.deepEqual(conditions("probes", { exemptions: [exemption] }), []);
    assert.deepEqual(conditions(exemption.rule, { exemptions: [{ ...exemption, expires: "2026-11-19" }] }), []);
    assert.deepEqual(conditions(exemption.rule, { exemptions: [{ ...exemption, expires: "soon" }] }), []);
    const urn = { ...exemption, resource: "urn:pulumi:*::groundwork::kubernetes:apps/v1:Deployment::api" };
    assert.deepEqual(conditions(exemption.rule, { exemptions: [urn] }), []);
  });

  it("quote what an exemption names", () => {
    const quoted = { ...exemption, resource: "Deployment/app/a.b'*" };
    const [expression] = conditions(exemption.rule, { exemptions: [quoted] });
    assert.match(expression!, /object\.metadata\.name\.matches\('\^a\\\\\.b\\'\.\*\$'\)/);
  });

  it("are the same for the same rules", () => {
    assert.deepEqual(made(), made());
  });
});
