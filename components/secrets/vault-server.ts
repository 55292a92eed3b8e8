import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { Foundation, HardenedStatefulSet, planOpenPorts, ResourceNeeds, ServingContainerArgs } from "../workload";
import { healthPaths, planServerEnvironment, VaultNames, vaultPaths, vaultPorts } from "./vault-config";

type PodSpec = k8s.types.input.core.v1.PodSpec;
type Container = k8s.types.input.core.v1.Container;

/** The container of a Vault server; `ports` beyond the API's. */
export function serverContainer(
  foundation: Foundation,
  names: VaultNames,
  resources: ResourceNeeds,
  more: { ports?: Record<string, number>; configs?: string[] },
): ServingContainerArgs {
  const probe = (path: string) => ({ http: { path, port: vaultPorts.api, scheme: "HTTPS" as const } });
  return {
    image: foundation.artifacts.image("vault"),
    command: ["/bin/vault", "server"],
    args: [`${vaultPaths.config}/server.hcl`, ...(more.configs ?? [])].map((file) => `-config=${file}`),
    // Nothing else can be written to: a snapshot that is restored lies there for a moment, encrypted as it is.
    env: { ...planServerEnvironment(names), HOME: vaultPaths.data, TMPDIR: vaultPaths.data },
    ports: { api: vaultPorts.api, ...more.ports },
    resources,
    probes: {
      startup: probe(healthPaths.live),
      liveness: probe(healthPaths.live),
      readiness: { ...probe(healthPaths.ready), period: 2 },
    },
  };
}

/** The pod with the variable POD_NAME, which others refer to: it comes first, since Kubernetes fills them in in order. */
export function withPodName(spec: PodSpec): PodSpec {
  const name = { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } };
  const containers = (spec.containers as Container[]).map((container) => {
    const env = (container.env ?? []) as { name: string }[];
    return env.some((variable) => variable.name === "VAULT_API_ADDR")
      ? { ...container, env: [name, ...env] }
      : container;
  });
  return { ...spec, containers };
}

/** Lets the API server in: the command line reaches Vault through its proxy. */
export function openToApiServer(
  set: HardenedStatefulSet,
  ports: number[],
  opts: pulumi.CustomResourceOptions,
): k8s.networking.v1.NetworkPolicy {
  const name = `${set.client.name}-from-api-server`;
  return new k8s.networking.v1.NetworkPolicy(
    name,
    planOpenPorts(name, set.client, ports, set.namespace.foundation.apiServerSources),
    { ...opts, deletedWith: set.namespace.resource },
  );
}
