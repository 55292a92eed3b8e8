import * as assert from "node:assert/strict";
import { cisReasons } from "../../components/cluster/cis-reasons";
import { rules } from "../../policies/rules";
import { CisResult, judge } from "../support/cis";

describe("the reasons for checks of kube-bench that do not pass", () => {
  it("each name a check once, say why, and hold for a year or so", () => {
    const checks = cisReasons.map(({ check }) => check);
    assert.equal(new Set(checks).size, checks.length);
    for (const { check, reason, owner, expires } of cisReasons) {
      assert.ok(reason.length >= 30, check);
      assert.ok(owner !== "", check);
      const days = (Date.parse(`${expires}T23:59:59Z`) - Date.now()) / 86_400_000;
      assert.ok(days > 0 && days <= 400, `${check} expires on ${expires}`);
    }
  });

  it("each name what shows it: rules of the pack that exist, or a look at the machine", () => {
    const known = new Set(rules.map(({ id }) => id));
    for (const { check, proof } of cisReasons) {
      assert.ok((proof.rules?.length ?? 0) > 0 !== (proof.witness !== undefined), check);
      for (const rule of proof.rules ?? []) assert.ok(known.has(rule), `${check}: there is no rule ${rule}`);
    }
  });

  const result = (check: string, status: CisResult["status"]): CisResult => ({ check, status, text: "a check" });
  const needed = cisReasons.map(({ check, status }) => result(check, status));
  const fine = [result("1.1.11", "PASS"), result("1.1.1", "INFO"), ...needed];

  it("are content with exactly the checks that they name", () => assert.deepEqual(judge(fine), []));

  it("refuse a check that has none", () => {
    assert.deepEqual(judge([...fine, result("1.2.6", "FAIL")]), ["1.2.6 is FAIL and has no reason: a check"]);
  });

  it("refuse a reason that is not needed any more, or for another finding", () => {
    const passed = fine.map((one) => (one.check === "2.1" ? result("2.1", "PASS") : one));
    assert.deepEqual(judge(passed), ["2.1 is not FAIL any more: take its reason away"]);
    const worse = fine.map((one) => (one.check === "5.2.1" ? result("5.2.1", "FAIL") : one));
    assert.equal(judge(worse).length, 2);
  });

  it("refuse a reason whose time is over, and a run that saw no cluster", () => {
    const late = judge(fine, cisReasons, new Date("2030-01-01"));
    assert.equal(late.length, cisReasons.length);
    assert.match(judge(needed)[0]!, /kube-bench did not see the cluster/);
  });
});
