import { strict as assert } from "node:assert";
import * as pulumi from "@pulumi/pulumi";
import { CloudControllers, CloudControllersArgs } from "../../components/cloud";
import { cloudSchema } from "../../components/cloud/settings";
import { exemptions } from "../../policies/exemption-list";
import { policyViolations } from "./graph/policies";
import { capture } from "./fixtures/capture";
import { makeFoundation } from "./fixtures/platform";

const token = "s3cret-token-of-the-cloud";

function program(args: Partial<CloudControllersArgs["cloud"]>, settings: unknown = {}) {
  const { provider, foundation } = makeFoundation();
  return new CloudControllers(
    "cloud",
    {
      foundation,
      cloud: {
        kind: "hcloud",
        token: pulumi.secret(token),
        network: pulumi.output("demo"),
        clusterCidr: "10.42.0.0/16",
        location: "fsn1",
        ...args,
      },
      settings: cloudSchema.parse(settings),
    },
    { provider },
  );
}
describe("cloud controllers", () => {
  it("pass the policy pack", async () => {
    const { graph } = await capture(() => program({}));
    const ours = exemptions.filter(({ resource }) => /hcloud/.test(resource));
    assert.deepEqual(await policyViolations(graph, { exemptions: ours }), []);
  });
});
