import * as pulumi from "@pulumi/pulumi";
import type { CloudAccess } from "../host";
import { FileMount, HardenedDeployment, PlatformNamespace, ResourceNeeds } from "../workload";
import { letControl, nodeRules } from "./access";
import { asController, firstTolerations } from "./pods";
import { cloudPorts } from "./ports";

export interface NodeControllerArgs {
  namespace: PlatformNamespace;
  cloud: CloudAccess;
  /** Where the token is mounted, and what changes when it does. */
  token: { mount: FileMount; file: string; version: pulumi.Input<string> };
  resources: ResourceNeeds;
}

/** What of upstream's program runs: nodes get their ids, labels and addresses, and go when their server is gone. */
const controllers = ["cloud-node-controller", "cloud-node-lifecycle-controller"];

export const nodeControllerArguments = [
  "--cloud-provider=hcloud",
  "--allow-untagged-cloud",
  `--controllers=${controllers.join(",")}`,
  "--leader-elect=false",
  "--webhook-secure-port=0",
  `--secure-port=${cloudPorts.nodeController}`,
  // Its port answers /healthz to everybody and nothing else to anybody; so it needs no look at the API server's authorities.
  "--authentication-skip-lookup=true",
];

/** Settings of upstream's program, as it documents them. */
export const nodeControllerEnv = <T extends pulumi.Input<string>>(
  cloud: { endpoint?: string; network: T },
  tokenFile: string,
): Record<string, T | string> => ({
  HCLOUD_TOKEN_FILE: tokenFile,
  ...(cloud.endpoint !== undefined && { HCLOUD_ENDPOINT: cloud.endpoint }),
  HCLOUD_NETWORK: cloud.network,
  // The CNI routes the pods' network.
  HCLOUD_NETWORK_ROUTES_ENABLED: "false",
  // The check asks the machine's metadata service, which pods have no way to; the graph attaches every machine itself.
  HCLOUD_NETWORK_DISABLE_ATTACHED_CHECK: "true",
  // They belong to the graph, which knows their price and deletes them.
  HCLOUD_LOAD_BALANCERS_ENABLED: "false",
  HCLOUD_METRICS_ENABLED: "false",
});

/** Hetzner's cloud controller manager. */
export function makeNodeController(
  name: string,
  { namespace, cloud, token, resources }: NodeControllerArgs,
  opts: pulumi.ComponentResourceOptions,
): { ready: pulumi.Output<string> } {
  const alive = { http: { path: "/healthz", port: cloudPorts.nodeController, scheme: "HTTPS" as const } };
  const { toCloud, rights } = letControl(name, { namespace, cloud, rules: nodeRules }, opts);
  const deployment = new HardenedDeployment(
    name,
    {
      namespace,
      files: [token.mount],
      restartOn: { token: token.version },
      // Its rules are of the whole cluster; the kit makes the account, its token and the way to the API server.
      access: {},
      container: {
        image: namespace.foundation.artifacts.image("hcloud-cloud-controller-manager"),
        command: ["/bin/hcloud-cloud-controller-manager"],
        args: nodeControllerArguments,
        env: nodeControllerEnv(cloud, token.file),
        resources,
        probes: { startup: alive, liveness: alive, readiness: alive },
      },
      transform: { deployment: (deployment) => asController(deployment, { tolerations: firstTolerations }) },
    },
    opts,
  );
  const ready = pulumi.all([deployment.ready, toCloud.urn, rights.urn]).apply(([uid]) => uid);
  return { ready };
}
