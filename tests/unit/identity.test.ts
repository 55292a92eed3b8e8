import * as assert from "node:assert/strict";
import { exemptions } from "../../policies/exemption-list";
import { rules as all } from "../../policies/rules";
import { accessReview, canITable, wrongAnswers } from "../../components/identity/can-i";
import { planAccess } from "../../components/identity/plan";
import { roleNames } from "../../components/identity/roles";
import { accessSchema } from "../../components/identity/settings";
import { runPack, TestResource } from "../policies/engine-like";

const plan = planAccess({ namespaces: ["app", "web"], oidcGroupsPrefix: "oidc:" });

describe("the roles of people", () => {
  // Those of whole namespaces have nothing to judge here: the namespaces are other components'.
  const rules = all.filter(({ scope }) => scope === "resource");
  const resources = plan.map(({ apiVersion, kind, ...object }): TestResource => ({
    type: `kubernetes:${apiVersion}:${kind}`,
    name: `${object.metadata.name}-${object.metadata.namespace ?? kind}`,
    props: { apiVersion, kind, ...object },
  }));

  it("hold the policies, but for what administrators have on purpose", async () => {
    const found = await runPack(resources, { rules });
    const broken = found.map(
      ({ rule, message }) => `${rule}: ${/ClusterRole\/?\s?"?(groundwork-\w+)/.exec(message)?.[1]}`,
    );
    assert.deepEqual([...new Set(broken)].sort(), [
      "no-rbac-exec: groundwork-admin",
      "no-rbac-secrets: groundwork-admin",
      "no-rbac-workload-creation: groundwork-admin",
    ]);
  });

  it("need each of their exemptions", async () => {
    const own = exemptions.filter(({ resource }) => resource.startsWith("ClusterRole/groundwork-"));
    assert.equal(own.length, 3);
    assert.deepEqual(await runPack(resources, { rules, exemptions: own }), []);
  });

  it("are given to groups only, and developers' in their namespaces", () => {
    for (const { subjects = [] } of plan) for (const { kind } of subjects) assert.equal(kind, "Group");
    const developers = plan.filter(({ roleRef }) => roleRef?.name === "groundwork-developer");
    assert.deepEqual(
      developers.map(({ kind, metadata }) => `${kind} ${metadata.namespace}`),
      ["RoleBinding app", "RoleBinding web"],
    );
    assert.deepEqual(
      developers[0]!.subjects!.map(({ name }) => name),
      ["groundwork:developers", "oidc:groundwork:developers"],
    );
  });

  it("know no identity provider unless they are told of one", () => {
    const names = planAccess({ namespaces: [] }).flatMap(({ subjects = [] }) => subjects.map(({ name }) => name));
    assert.deepEqual([...new Set(names)].sort(), ["groundwork:admins", "groundwork:developers", "groundwork:viewers"]);
  });
});

describe("the table of what people may do", () => {
  it("asks of every group what it may and what it may not", () => {
    for (const role of roleNames) {
      const answers = new Set(canITable.filter((question) => question.role === role).map(({ allowed }) => allowed));
      assert.deepEqual(answers, new Set([true, false]), role);
    }
    const keys = canITable.map(({ role, verb, resource, namespace }) => [role, verb, resource, namespace].join(" "));
    assert.deepEqual(
      keys.filter((key, index) => keys.indexOf(key) !== index),
      [],
      "asked twice",
    );
  });

  it("asks the way that the API server understands", () => {
    const question = {
      role: "viewer",
      verb: "patch",
      resource: "deployments.apps/scale",
      namespace: "app",
      allowed: false,
    };
    assert.deepEqual(accessReview(question as (typeof canITable)[number]).spec, {
      user: "someone",
      groups: ["groundwork:viewers", "system:authenticated"],
      resourceAttributes: {
        verb: "patch",
        resource: "deployments",
        group: "apps",
        subresource: "scale",
        namespace: "app",
      },
    });
  });

  it("names a wrong answer in a sentence", async () => {
    const [first] = canITable;
    assert.deepEqual(await wrongAnswers(() => Promise.resolve({ status: { allowed: false } }), [first!]), [
      "groundwork:admins may not list pods everywhere",
    ]);
  });
});

describe("the settings of access", () => {
  const problems = (settings: object) =>
    accessSchema.safeParse(settings).error?.issues.map(({ path }) => path.join("."));

  it("are off, and short-lived, unless they say otherwise", () => {
    const { enabled, certificateHours, namespaces } = accessSchema.parse({});
    assert.deepEqual(
      { enabled, certificateHours, namespaces },
      { enabled: false, certificateHours: 8, namespaces: ["app"] },
    );
  });

  const refused: [string, object, string][] = [
    ["a person in two groups", { admins: ["jane"], viewers: ["joe", "jane"] }, "viewers.1"],
    ["a name that Kubernetes keeps for itself", { viewers: ["system:admin"] }, "viewers.0"],
    ["a prefix that Kubernetes keeps for itself", { oidcGroupsPrefix: "system:" }, "oidcGroupsPrefix"],
    ["certificates of a week", { certificateHours: 168 }, "certificateHours"],
  ];
  for (const [what, settings, key] of refused) it(`refuse ${what}`, () => assert.deepEqual(problems(settings), [key]));
});
