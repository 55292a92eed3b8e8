import * as assert from "node:assert/strict";
import { exemptions } from "../../policies/exemption-list";
import { rules } from "../../policies/rules";
import { exemptionOf, rulesOfCheck, ScannerFinding } from "../../policies/scanners";

const operator: ScannerFinding = {
  scanner: "trivy",
  check: "KSV-0036",
  kind: "Deployment",
  namespace: "cnpg-system",
  name: "cnpg-controller-manager",
};

describe("a scanner's finding", () => {
  it("is matched to the rule that looks for the same, in both forms of an id", () => {
    for (const check of ["KSV-0014", "KSV014"]) {
      assert.deepEqual(
        rulesOfCheck(rules, "trivy", check).map(({ id }) => id),
        ["read-only-root-filesystem"],
      );
    }
    assert.deepEqual(
      rulesOfCheck(rules, "kubeScore", "pod-probes").map(({ id }) => id),
      ["probes"],
    );
    assert.deepEqual(rulesOfCheck(rules, "trivy", "KSV-9999"), []);
  });

  it("is covered by the exemption of its object from that rule, and by no other", () => {
    const covering = (change: Partial<ScannerFinding>) => exemptionOf({ ...operator, ...change }, rules, exemptions);
    assert.equal(covering({})?.rule, "no-service-account-token");
    assert.equal(covering({ check: "KSV-0014" }), undefined);
    assert.equal(covering({ name: "other" }), undefined);
    assert.equal(covering({ namespace: undefined }), undefined);
  });

  it("belongs to one rule at most", () => {
    for (const scanner of ["trivy", "kubeScore"] as const) {
      const ids = rules.flatMap(({ scanners }) => scanners?.[scanner] ?? []);
      assert.deepEqual([...new Set(ids)].sort(), [...ids].sort());
    }
  });
});
