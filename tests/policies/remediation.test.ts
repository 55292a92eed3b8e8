import * as assert from "node:assert/strict";
import { Secret } from "@pulumi/policy";
import type { Exemption } from "../../policies/exemptions";
import { ruleFacts } from "../../policies/rule-facts";
import { rules } from "../../policies/rules";
import { runPack, RunOptions, TestResource, Violation } from "./engine-like";
import { set } from "./paths";
import { sample, SampleName } from "./sample";

const first = "spec.template.spec.containers.0";
/** What each rule mends: the field that was left open, and its value afterwards. */
const mended: [string, SampleName, string, unknown][] = [
  ["no-service-account-token", "deployment", "spec.template.spec.automountServiceAccountToken", false],
  ["no-privilege-escalation", "deployment", `${first}.securityContext.allowPrivilegeEscalation`, false],
  ["seccomp-profile", "deployment", "spec.template.spec.securityContext.seccompProfile", { type: "RuntimeDefault" }],
  ["namespace-pod-security", "namespace", "metadata.labels", { "pod-security.kubernetes.io/enforce": "restricted" }],
];

const at = (value: any, path: string): unknown => path.split(".").reduce((inner, key) => inner?.[key], value);
async function run(
  rule: string,
  resources: ReturnType<typeof sample>,
  options: Partial<RunOptions> = {},
): Promise<Violation[]> {
  const found = await runPack(Object.values<TestResource>(resources), {
    rules,
    levels: { [rule]: "remediate" },
    ...options,
  });
  return found.filter((one) => one.rule === rule);
}

describe("a rule that mends", () => {
  it("is known to the settings as one that can", () => {
    assert.deepEqual(
      Object.keys(ruleFacts)
        .filter((rule) => ruleFacts[rule]!.remediates)
        .sort(),
      mended.map(([rule]) => rule).sort(),
    );
  });

  for (const [rule, target, path, value] of mended) {
    it(`${rule} fills in what was left open, and is content then`, async () => {
      const resources = sample();
      set(resources[target].props, path, undefined);
      assert.deepEqual(await run(rule, resources), []);
      assert.deepEqual(at(resources[target].props, path), value);
    });

    it(`${rule} changes nothing unless it is told to`, async () => {
      const resources = sample();
      set(resources[target].props, path, undefined);
      assert.equal((await run(rule, resources, { levels: {} })).length, 1);
      assert.equal(at(resources[target].props, path), undefined);
    });
  }

  it("leaves what someone chose, and goes on reporting it", async () => {
    const resources = sample();
    set(resources.deployment.props, "spec.template.spec.automountServiceAccountToken", true);
    assert.equal((await run("no-service-account-token", resources)).length, 1);
  });

  it("leaves what is exempted", async () => {
    const exemption: Exemption = {
      resource: "Deployment/app/api",
      rule: "no-service-account-token",
      reason: "The fixture asks the API server for the list of its friends.",
      owner: "tests",
      expires: "2027-01-31",
    };
    const resources = sample();
    const path = "spec.template.spec.automountServiceAccountToken";
    set(resources.deployment.props, path, undefined);
    const now = new Date("2026-11-20T12:00:00Z");
    assert.deepEqual(await run(exemption.rule, resources, { exemptions: [exemption], now }), []);
    assert.equal(at(resources.deployment.props, path), undefined);
  });

  it("keeps the marks of secret values", async () => {
    const resources = sample();
    set(resources.deployment.props, "spec.template.spec.automountServiceAccountToken", undefined);
    set(resources.deployment.props, "metadata.annotations", { note: new Secret("x7Gq") });
    assert.deepEqual(await run("no-service-account-token", resources), []);
    assert.ok(at(resources.deployment.props, "metadata.annotations.note") instanceof Secret);
  });
});
