import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { sample, SampleName } from "../../policies/sample";
import { set } from "../../policies/paths";

/**
 * The sample of the policy tests as a program for the engine. `policies:change` in the stack's configuration changes one
 * field of it; a value of `generated` or `known secret` is replaced by such an output.
 */
interface Change {
  target: SampleName;
  path: string;
  value: unknown;
}

/** Nobody listens there: previews of new objects ask no cluster. */
const nowhere = { cluster: { server: "https://127.0.0.1:1" }, user: { token: "none" } };
const kubeconfig = JSON.stringify({
  apiVersion: "v1",
  kind: "Config",
  clusters: [{ name: "nowhere", cluster: nowhere.cluster }],
  users: [{ name: "nobody", user: nowhere.user }],
  contexts: [{ name: "nowhere", context: { cluster: "nowhere", user: "nobody" } }],
  "current-context": "nowhere",
});

const config = new pulumi.Config("policies");
const objects = sample();
const provider = new k8s.Provider("cluster", { kubeconfig });
const password = new random.RandomPassword("password", { length: 20 });
const outputs: Record<string, pulumi.Output<string>> = {
  generated: password.result,
  "known secret": pulumi.secret("known-to-the-program"),
};

const change = config.getObject<Change>("change");
if (change) {
  const value = typeof change.value === "string" ? (outputs[change.value] ?? change.value) : change.value;
  set(objects[change.target].props, change.path, value);
}
set(objects.secret.props, "stringData.password", password.result);
// Not known in a preview, and no secret: the rules must neither fail nor speak.
set(objects.deployment.props, "metadata.annotations", {
  "groundwork/password-id": password.id.apply((id) => `of ${id.length}`),
});

/** A resource of any type: the SDK keeps its own class abstract. */
class AnyResource extends pulumi.CustomResource {}

const only = config.getObject<string[]>("only");
for (const [name, { type, name: logical, props }] of Object.entries(objects)) {
  if (!type.startsWith("kubernetes:") || (only && !only.includes(name))) continue;
  new AnyResource(type, logical, props, { provider });
}
