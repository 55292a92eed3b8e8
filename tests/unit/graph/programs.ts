import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { CaptureOptions } from "./capture";

/** How the sample programs are run. */
export const sampleOptions: CaptureOptions = { project: "groundwork", stack: "sample" };

/** A component with two objects. */
export class Store extends pulumi.ComponentResource {
  readonly password: pulumi.Output<string>;

  constructor(name: string, args: { namespace: pulumi.Input<string> }, opts?: pulumi.ComponentResourceOptions) {
    super("sample:index:Store", name, {}, opts);
    const password = new random.RandomPassword(`${name}-password`, { length: 20 }, { parent: this });
    this.password = password.result;
    new k8s.core.v1.Secret(
      `${name}-login`,
      {
        metadata: { name: `${name}-login`, namespace: args.namespace },
        stringData: { url: pulumi.interpolate`redis://:${password.result}@${name}` },
      },
      { parent: this },
    );
    new k8s.core.v1.ConfigMap(
      `${name}-config`,
      {
        metadata: { name, namespace: args.namespace },
        data: { size: new pulumi.Config("sample").get("size") ?? "small" },
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}

/** A namespace, a component in it, a custom resource that waits for its definition, and a consumer of the component. */
export function soundProgram() {
  const provider = new k8s.Provider("cluster", { kubeconfig: pulumi.secret("{}") }, { protect: true });
  const opts = { provider };
  const namespace = new k8s.core.v1.Namespace("store-namespace", { metadata: { name: "store" } }, opts);
  const store = new Store("store", { namespace: namespace.metadata.name }, opts);
  const definition = new k8s.apiextensions.v1.CustomResourceDefinition(
    "widgets",
    {
      metadata: { name: "widgets.example.org" },
      spec: { group: "example.org", names: { kind: "Widget", plural: "widgets" }, scope: "Namespaced", versions: [] },
    },
    opts,
  );
  const widget = new k8s.apiextensions.CustomResource(
    "widget",
    { apiVersion: "example.org/v1", kind: "Widget", metadata: { name: "one", namespace: namespace.metadata.name } },
    { provider, dependsOn: [definition, store] },
  );
  return { provider, namespace, store, definition, widget };
}
