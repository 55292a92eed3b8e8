import * as assert from "node:assert/strict";
import { packConfig, PackSettings } from "../../policies/config";
import { ruleFacts } from "../../policies/rule-facts";
import { packSettings, settingsSchema } from "../../stacks/settings";

const defaults = settingsSchema.shape.policies.parse(undefined);
const settings = (change: Partial<PackSettings> = {}): PackSettings => ({
  ...defaults,
  environment: "production",
  ...change,
});
const levels = (change: Partial<PackSettings> = {}): Record<string, string | undefined> =>
  Object.fromEntries(
    Object.entries(packConfig(settings(change))).map(([rule, value]) => [
      rule,
      typeof value === "string" ? value : value.enforcementLevel,
    ]),
  );

describe("the pack's configuration for a stack", () => {
  it("holds every rule, all of them mandatory in production", () => {
    assert.deepEqual(Object.keys(levels()), Object.keys(ruleFacts));
    assert.deepEqual([...new Set(Object.values(levels()))], ["mandatory"]);
  });

  it("lowers all but the critical rules at once, and those by name", () => {
    const lowered = levels({ enforcement: { all: "advisory", "no-cluster-admin": { level: "disabled" } } });
    for (const [rule, { severity }] of Object.entries(ruleFacts)) {
      const expected = rule === "no-cluster-admin" ? "disabled" : severity === "critical" ? "mandatory" : "advisory";
      assert.equal(lowered[rule], expected, rule);
    }
  });

  it("lets one rule keep its level when all others are lowered", () => {
    const { "image-digests": digests, probes } = levels({
      enforcement: { all: "advisory", "image-digests": "mandatory" },
    });
    assert.deepEqual([digests, probes], ["mandatory", "advisory"]);
  });

  it("takes a stack that protects its data for production, unless it says what it is", () => {
    assert.equal(packSettings({ policies: defaults, protect: true }).environment, "production");
    assert.equal(packSettings({ policies: defaults, protect: false }).environment, "development");
    const policies = { ...defaults, environment: "staging" as const };
    assert.equal(packSettings({ policies, protect: true }).environment, "staging");
  });
});
