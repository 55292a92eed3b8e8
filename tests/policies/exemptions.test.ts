import * as assert from "node:assert/strict";
import type { Exemption } from "../../policies/exemptions";
import { exemptions as ownExemptions } from "../../policies/exemption-list";
import { rules } from "../../policies/rules";
import { runPack, TestResource, unknownString, Violation } from "./engine-like";
import { set } from "./paths";
import { sample } from "./sample";

const now = new Date("2026-11-20T12:00:00Z");
const privileged: Exemption = {
  resource: "Deployment/app/api",
  rule: "no-privileged-containers",
  reason: "The fixture needs every device of its host for this test.",
  owner: "tests",
  expires: "2027-01-31",
};

/** The sample with a privileged container, and a pack with these exemptions. */
function run(
  exemptions: readonly Exemption[],
  change: (resources: ReturnType<typeof sample>) => void = () => undefined,
) {
  const resources = sample();
  set(resources.deployment.props, "spec.template.spec.containers.0.securityContext.privileged", true);
  change(resources);
  return runPack(Object.values<TestResource>(resources), { rules, exemptions, now });
}

const messages = (found: readonly Violation[]) => found.map(({ rule, message }) => `${rule}: ${message}`);

async function assertOnly(found: Promise<Violation[]>, ...expected: RegExp[]): Promise<void> {
  const said = messages(await found);
  assert.equal(said.length, expected.length, said.join("\n"));
  for (const pattern of expected) {
    assert.ok(
      said.some((text) => pattern.test(text)),
      `${String(pattern)}: ${said.join("\n")}`,
    );
  }
}

describe("an exemption", () => {
  it("lets its resource break its rule, and only that one", async () => {
    await assertOnly(run([privileged]));
    await assertOnly(
      run([privileged], ({ deployment }) => set(deployment.props, "spec.template.spec.hostPID", true)),
      /^no-host-namespaces: /,
    );
    await assertOnly(run([{ ...privileged, resource: "Deployment/app/*" }]));
    await assertOnly(
      run([{ ...privileged, resource: "urn:pulumi:*::groundwork::kubernetes:apps/v1:Deployment::api" }]),
    );
  });

  it("does not hold for another resource, and says that it is not needed", async () => {
    for (const resource of ["Deployment/app/web", "StatefulSet/app/api", "Deployment/api", "Deployment/app/ap"]) {
      const found = await run([{ ...privileged, resource }]);
      assert.ok(
        found.some(({ rule }) => rule === "no-privileged-containers"),
        resource,
      );
    }
    await assertOnly(
      run([{ ...privileged, resource: "Deployment/app/web" }]),
      /^no-privileged-containers: /,
      /^valid-exemptions: The exemption of Deployment\/app\/web from no-privileged-containers is not needed by any resource\./,
    );
  });

  it("is refused when nothing breaks its rule any more", async () => {
    await assertOnly(
      run([privileged], ({ deployment }) =>
        set(deployment.props, "spec.template.spec.containers.0.securityContext.privileged", false),
      ),
      /is not needed by any resource/,
    );
  });

  it("is not missed in a stack that lacks what it is for", async () => {
    const elsewhere: Exemption = { ...privileged, resource: "Deployment/other/web" };
    const clusterWide: Exemption = { ...privileged, resource: "ClusterRole/web", installedIn: "other" };
    await assertOnly(run([privileged, elsewhere, clusterWide]));
    await assertOnly(run([privileged, { ...clusterWide, installedIn: "app" }]), /ClusterRole\/web .*not needed/);
    await assertOnly(run([privileged, { ...privileged, resource: "Cluster/*/*" }]));
  });

  it("ends with its date", async () => {
    await assertOnly(run([{ ...privileged, expires: "2026-11-20" }]));
    await assertOnly(
      run([{ ...privileged, expires: "2026-11-19" }]),
      /^no-privileged-containers: /,
      /^valid-exemptions: .* expired on 2026-11-19\./,
    );
  });

  const flaws: [Partial<Exemption>, RegExp][] = [
    [{ expires: "soon" }, /expiry that is no date/],
    [{ expires: "2029-01-01" }, /expires in more than 400 days/],
    [{ reason: "because" }, /no reason of at least 30 characters/],
    [{ owner: " " }, /has no owner/],
    [{ rule: "no-such-rule" }, /names a rule that does not exist/],
    [{ resource: "*/app/api" }, /has a resource that is no Kind\/namespace\/name/],
    [{ resource: "urn:pulumi:*" }, /has a URN without a plain type/],
    [{ resource: "everything" }, /has a resource that is no Kind\/namespace\/name/],
  ];
  for (const [change, says] of flaws) {
    it(`with ${JSON.stringify(change)} covers nothing and is refused`, async () => {
      await assertOnly(run([{ ...privileged, ...change }]), /^no-privileged-containers: /, says);
    });
  }

  it("is refused when it is there twice", async () => {
    await assertOnly(run([privileged, privileged]), /is there twice/);
  });

  it("can cover a rule for the whole stack", async () => {
    const exemption = { ...privileged, resource: "Namespace/app", rule: "namespace-limit-range" };
    await assertOnly(
      run([privileged, exemption], (resources) => {
        delete (resources as Partial<typeof resources>).limitRange;
      }),
    );
  });

  it("can not cover the rule for exemptions", async () => {
    const exemption = { ...privileged, rule: "valid-exemptions" };
    await assertOnly(run([privileged, exemption]), /names a rule that does not exist/);
  });

  it("is not called unneeded where a preview can not know", async () => {
    await assertOnly(
      run([privileged], ({ deployment }) =>
        set(deployment.props, "spec.template.spec.containers.0.securityContext", unknownString),
      ),
    );
  });
});

describe("the exemptions of this repository", () => {
  it("are in order today", async () => {
    const found = await runPack([], { rules, exemptions: ownExemptions });
    assert.deepEqual(messages(found), []);
  });
});
