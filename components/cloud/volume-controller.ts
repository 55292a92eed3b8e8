import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import type { CloudAccess } from "../host";
import { FileMount, HardenedDeployment, PlatformNamespace, ResourceNeeds, ServingContainerArgs } from "../workload";
import { letControl, volumeRules } from "./access";
import { asController, controllerTolerations } from "./pods";
import { cloudPorts } from "./ports";

export interface VolumeControllerArgs {
  namespace: PlatformNamespace;
  cloud: CloudAccess;
  /** Where the token is mounted, and what changes when it does. */
  token: { mount: FileMount; file: string; version: pulumi.Input<string> };
  /** Labels of the volumes that it makes, besides its own. */
  labels: Record<string, string>;
  /** Of each container. */
  resources: ResourceNeeds;
}

export const socketFolder = "/run/csi";
export const socketPath = `${socketFolder}/socket`;

/** Settings that both halves of the driver take. */
export const driverEnv: Record<string, string> = { CSI_ENDPOINT: `unix://${socketPath}`, ENABLE_METRICS: "false" };

/** Settings of the half that talks to the cloud, as upstream documents them. */
export const volumeControllerEnv = (
  cloud: Pick<CloudAccess, "endpoint" | "location">,
  tokenFile: string,
  labels: Record<string, string>,
): Record<string, string> => ({
  ...driverEnv,
  HCLOUD_TOKEN_FILE: tokenFile,
  ...(cloud.endpoint !== undefined && { HCLOUD_ENDPOINT: cloud.endpoint }),
  // Without, the driver asks the machine's metadata service.
  HCLOUD_VOLUME_DEFAULT_LOCATION: cloud.location,
  // By them a destroy tells the stack's volumes from others.
  HCLOUD_VOLUME_EXTRA_LABELS: Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(","),
});

/**
 * The half of Hetzner's CSI driver that talks to the cloud, with Kubernetes' own sidecars: makes volumes for claims, attaches
 * them to the machines of their pods, and grows them.
 */
export function makeVolumeController(
  name: string,
  args: VolumeControllerArgs,
  opts: pulumi.ComponentResourceOptions,
): { ready: pulumi.Output<string> } {
  const { namespace, cloud, token } = args;
  const { toCloud, rights } = letControl(name, { namespace, cloud, rules: volumeRules }, opts);
  const deployment = new HardenedDeployment(
    name,
    {
      namespace,
      restartOn: { token: token.version },
      access: {},
      container: driver(args),
      sidecars: sidecars(args),
      transform: { deployment: (deployment) => asController(deployment, withSocket(deployment)) },
    },
    opts,
  );
  const ready = pulumi.all([deployment.ready, toCloud.urn, rights.urn]).apply(([uid]) => uid);
  return { ready };
}

function driver({ namespace, cloud, token, labels, resources }: VolumeControllerArgs): ServingContainerArgs {
  const alive = { http: { path: "/healthz", port: cloudPorts.driver } };
  return {
    image: namespace.foundation.artifacts.image("hcloud-csi-driver"),
    command: ["/bin/hcloud-csi-driver"],
    args: ["-controller"],
    env: volumeControllerEnv(cloud, token.file, labels),
    files: [token.mount],
    resources,
    probes: { startup: alive, liveness: { ...alive, failures: 5 }, readiness: alive },
  };
}

/** What upstream's manifest tells the sidecars, besides where they meet. */
export const sidecarArguments = {
  "csi-attacher": ["--default-fstype=ext4"],
  "csi-provisioner": [
    "--default-fstype=ext4",
    "--extra-create-metadata",
    "--feature-gates=Topology=true",
    "--strict-topology",
  ],
  "csi-resizer": [],
};

/** Kubernetes' own programs beside the driver; only it sees the cloud's token. */
function sidecars({ namespace, resources }: VolumeControllerArgs): Record<string, ServingContainerArgs> {
  const { artifacts } = namespace.foundation;
  const sidecar = (image: keyof typeof sidecarArguments, port: number): ServingContainerArgs => {
    const answers = { http: { path: "/metrics", port } };
    return {
      image: artifacts.image(image),
      command: [`/${image}`],
      args: [`--csi-address=${socketPath}`, `--http-endpoint=:${port}`, ...sidecarArguments[image]],
      resources,
      probes: { startup: answers, liveness: answers, readiness: answers },
    };
  };
  return {
    "csi-attacher": sidecar("csi-attacher", cloudPorts.attacher),
    "csi-provisioner": sidecar("csi-provisioner", cloudPorts.provisioner),
    "csi-resizer": sidecar("csi-resizer", cloudPorts.resizer),
    "liveness-probe": livenessProbe(namespace, resources),
  };
}

/** Asks the driver whether it is well, and says so over HTTP. */
export function livenessProbe(namespace: PlatformNamespace, resources: ResourceNeeds): ServingContainerArgs {
  // Only whether it listens: what it answers speaks of the driver.
  const listens = { tcp: { port: cloudPorts.driver } };
  return {
    image: namespace.foundation.artifacts.image("livenessprobe"),
    command: ["/livenessprobe"],
    args: [`--csi-address=${socketPath}`, `--health-port=${cloudPorts.driver}`],
    resources,
    probes: { startup: listens, liveness: listens, readiness: listens },
  };
}

type Container = k8s.types.input.core.v1.Container;
type Volume = k8s.types.input.core.v1.Volume;

/** All containers meet at the driver's socket. */
function withSocket(deployment: k8s.apps.v1.DeploymentArgs): Partial<k8s.types.input.core.v1.PodSpec> {
  const { template } = deployment.spec as { template: { spec: k8s.types.input.core.v1.PodSpec } };
  // The kit plans plain values: no output stands between here and them.
  const { containers, volumes } = template.spec as { containers: object[]; volumes?: Volume[] };
  const mount = { name: "socket", mountPath: socketFolder };
  return {
    tolerations: controllerTolerations,
    volumes: [...(volumes ?? []), { name: "socket", emptyDir: { sizeLimit: "1Mi", medium: "Memory" } }],
    containers: containers.map((container) => {
      const { volumeMounts = [] } = container as { volumeMounts?: object[] };
      return { ...container, volumeMounts: [...volumeMounts, mount] } as Container;
    }),
  };
}
