import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { exemptions } from "../../policies/exemption-list";
import { rules } from "../../policies/rules";
import { rulesOfCheck } from "../../policies/scanners";
import { judge, Judgement } from "../../policies/witnesses/judge";
import { RenderedObject, titleOf } from "../../policies/witnesses/objects";
import { Reason, reasons } from "../../policies/witnesses/reasons";
import { Finding, Scan, scan } from "../../policies/witnesses/scanners";
import { scannerTools, stackObjects, witness } from "../../policies/witnesses/stack";

const root = path.resolve(__dirname, "..", "..");
const stacks = fs.readdirSync(root).flatMap((file) => /^Pulumi\.(.+)\.yaml$/.exec(file)?.[1] ?? []);

const show = ({ object, scanner, check, severity, message }: Finding): string =>
  `${titleOf(object)}: ${scanner} ${check} (${severity}): ${message}`;

describe("the scanners", function () {
  this.timeout(300_000);
  const objects = new Map<string, RenderedObject[]>();
  const judged = new Map<string, Judgement & Pick<Scan, "passed">>();
  before(async () => {
    // One after the other: the program is run in this process.
    for (const stack of stacks) {
      const rendered = await stackObjects(stack);
      objects.set(stack, rendered);
      judged.set(stack, await witness(rendered));
    }
  });

  for (const stack of stacks) {
    it(`find nothing in the stack ${stack} that is not decided`, () => {
      assert.deepEqual(judged.get(stack)!.open.map(show), []);
    });

    it(`look at every object of the stack ${stack}`, () => {
      const { passed } = judged.get(stack)!;
      const count = objects.get(stack)!.length;
      assert.ok(count > 50, `${count} objects`);
      // Trivy judges each object by each check; kube-score has fewer, and most are for pods.
      assert.ok(passed.trivy > 50 * count, `${passed.trivy} checks of trivy passed`);
      assert.ok(passed.kubeScore > count, `${passed.kubeScore} checks of kube-score passed`);
    });
  }

  it("need every reason that is given", () => {
    const used = new Set([...judged.values()].flatMap((one) => [...one.used]));
    assert.deepEqual(
      reasons
        .filter((reason) => !used.has(reason))
        .map(({ scanner, check, because }) => `${scanner} ${check}: ${because}`),
      [],
    );
  });

  it("are told no reason for what a rule of the pack could exempt by name", () => {
    const broad = reasons.filter(({ scanner, check, where }) => {
      const severe = rulesOfCheck(rules, scanner, check).some(({ severity }) =>
        ["critical", "high"].includes(severity),
      );
      return severe && where === undefined;
    });
    assert.deepEqual(
      broad.map(({ check }) => check),
      ["KSV-0125"],
    );
  });
});

describe("a changed object", function () {
  this.timeout(300_000);
  let api: RenderedObject;
  before(async () => {
    const rendered = await stackObjects("dev");
    api = rendered.find((object) => titleOf(object) === "Deployment/app/api")!;
  });

  /** What stands open when one container of the API is changed. */
  const changed = async (change: (container: any) => void): Promise<string[]> => {
    const object = structuredClone(api);
    change(object["spec"].template.spec.containers[0]);
    const { open } = await witness([object]);
    return open.map(({ scanner, check }) => `${scanner} ${check}`);
  };
  let without: string[];
  before(async () => (without = await changed(() => undefined)));
  const adds = async (change: (container: any) => void): Promise<string[]> =>
    (await changed(change)).filter((line) => !without.includes(line));

  it("stands open when it is privileged, with both scanners", async () => {
    const found = await adds((container) => (container.securityContext.privileged = true));
    assert.ok(found.includes("trivy KSV-0017"), found.join());
    assert.ok(found.includes("kubeScore container-security-context-privileged"), found.join());
  });

  it("stands open when its root file system can be written, or its limits are gone", async () => {
    const writable = await adds((container) => (container.securityContext.readOnlyRootFilesystem = false));
    assert.ok(writable.includes("trivy KSV-0014"), writable.join());
    assert.ok(writable.includes("kubeScore container-security-context-readonlyrootfilesystem"), writable.join());
    const unbounded = await adds((container) => delete container.resources.limits);
    assert.ok(unbounded.includes("kubeScore container-resources"), unbounded.join());
  });
});

describe("what was decided about a finding", () => {
  const object: RenderedObject = {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: { name: "cnpg-manager" },
  };
  const finding = (check: string): Finding => ({
    scanner: "trivy",
    check,
    kind: object.kind,
    name: object.metadata.name,
    object,
    severity: "CRITICAL",
    message: "a finding of this test",
  });

  it("is an exemption of the pack where it has one, by the scanner's long and short name of the check", () => {
    for (const check of ["KSV-0041", "KSV041"]) {
      const { verdicts, open } = judge([finding(check)], [object], { rules, exemptions, reasons: [] });
      assert.equal(verdicts[0]?.exemption?.rule, "no-rbac-secrets");
      assert.deepEqual(open, []);
    }
  });

  it("is a reason only for the objects that it speaks of", () => {
    const reason: Reason = {
      scanner: "trivy",
      check: "X-1",
      because: "of this test",
      where: ({ kind }) => kind === "Role",
    };
    const by = { rules, exemptions, reasons: [reason] };
    assert.equal(judge([finding("X-1")], [object], by).open.length, 1);
    const role = { ...finding("X-1"), object: { ...object, kind: "Role" } };
    const { open, used } = judge([role], [object], by);
    assert.deepEqual(open, []);
    assert.deepEqual([...used], [reason]);
  });

  it("is never made from an empty look: a scanner that fails is an error", async () => {
    await assert.rejects(scan([object], { ...scannerTools(), trivy: "/bin/false" }), /Command failed/);
    await assert.rejects(scan([object], { ...scannerTools(), kubeScore: "/bin/false" }), /Command failed/);
  });
});
