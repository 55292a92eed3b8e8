import { ContainerArgs, Foundation, ResourceNeeds, ServingContainerArgs } from "../workload";
import { keeperPort } from "./vault-config";

/** Of a keeper that runs beside a Vault, or for a moment. */
export const keeperResources: ResourceNeeds = {
  requests: { cpu: "10m", memory: "64Mi", "ephemeral-storage": "16Mi" },
  limits: { cpu: "500m", memory: "160Mi", "ephemeral-storage": "64Mi" },
};

/** A container of the keeper's image that ends by itself. */
export function keeperJob(foundation: Foundation, args: string[]): ContainerArgs {
  return {
    image: foundation.artifacts.image("keeper"),
    // A small heap: the default grows to half of the container's limit before it is swept.
    command: ["/usr/bin/node", "--max-old-space-size=64", "/app/keeper.cjs"],
    args,
    resources: keeperResources,
  };
}

/** A keeper that runs for as long as its pod. It lives while its loop turns; it is ready when it says so. */
export function keeperSidecar(foundation: Foundation, args: string[]): ServingContainerArgs {
  return {
    ...keeperJob(foundation, [...args, "--port", String(keeperPort)]),
    ports: { keeper: keeperPort },
    probes: {
      startup: { http: { path: "/healthz", port: keeperPort } },
      liveness: { http: { path: "/healthz", port: keeperPort } },
      readiness: { http: { path: "/readyz", port: keeperPort }, period: 2 },
    },
  };
}
