import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { Foundation, ResourceNeeds } from "../workload";
import { driverEnv, socketFolder, socketPath } from "./volume-controller";
import { cloudPorts } from "./ports";

type Container = k8s.types.input.core.v1.Container;

/** Root, as the folders of the kubelet are root's, and nothing beyond. */
const confined = {
  runAsUser: 0,
  runAsGroup: 0,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
};

/** The name under which the driver is known to Kubernetes: upstream's. */
export const driverName = "csi.hetzner.cloud";

const kubelet = "/var/lib/kubelet";
const registered = "/registration";
/** Where a machine asks who and where it is; the driver has no other way to its server's id. */
const metadataService = "169.254.169.254/32";

/**
 * The half of the driver that runs on every node: formats, mounts and grows file systems on attached volumes. It is privileged
 * by nature (it mounts into other pods), so it stands in kube-system, has no token of any kind, and reaches the machine's
 * metadata service and nothing else.
 */
export function makeVolumeNode(
  name: string,
  args: { foundation: Foundation; resources: ResourceNeeds },
  opts: pulumi.CustomResourceOptions,
): { ready: pulumi.Output<string> } {
  const pods = { "app.kubernetes.io/name": name };
  const namespace = "kube-system";
  const policy = new k8s.networking.v1.NetworkPolicy(
    `${name}-to-metadata`,
    {
      metadata: { name: `${name}-to-metadata`, namespace },
      spec: {
        podSelector: { matchLabels: pods },
        policyTypes: ["Egress"],
        egress: [{ to: [{ ipBlock: { cidr: metadataService } }], ports: [{ port: 80, protocol: "TCP" }] }],
      },
    },
    opts,
  );
  const set = new k8s.apps.v1.DaemonSet(
    name,
    {
      metadata: { name, namespace, labels: pods },
      spec: {
        revisionHistoryLimit: 3,
        selector: { matchLabels: pods },
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } },
        template: { metadata: { labels: { ...pods, "app.kubernetes.io/part-of": "groundwork" } }, spec: planPod(args) },
      },
    },
    // What they ask at their start is closed until the policy is there.
    { ...opts, dependsOn: policy },
  );
  return { ready: set.metadata.uid };
}

function planPod({ foundation, resources }: Parameters<typeof makeVolumeNode>[1]): k8s.types.input.core.v1.PodSpec {
  const container = (name: string, image: string, rest: Partial<Container>): Container => ({
    name,
    image: foundation.artifacts.image(image).ref,
    imagePullPolicy: "IfNotPresent",
    resources: { requests: { ...resources.requests }, limits: { ...resources.limits } },
    ...rest,
    securityContext: { ...confined, ...(rest.securityContext as object) },
  });
  const socket = { name: "plugin", mountPath: socketFolder };
  const healthy = { httpGet: { path: "/healthz", port: cloudPorts.driver } };
  const listens = { tcpSocket: { port: cloudPorts.driver } };
  const registers = { httpGet: { path: "/healthz", port: cloudPorts.registrar } };
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    priorityClassName: "system-node-critical",
    terminationGracePeriodSeconds: 30,
    securityContext: { seccompProfile: { type: "RuntimeDefault" } },
    // Where a pod with a volume may run, the driver must.
    tolerations: [{ operator: "Exists" }],
    containers: [
      container("driver", "hcloud-csi-driver", {
        command: ["/bin/hcloud-csi-driver"],
        args: ["-node"],
        env: Object.entries(driverEnv).map(([key, value]) => ({ name: key, value })),
        // Mounts must reach the machine, and its block devices be seen.
        securityContext: { privileged: true, allowPrivilegeEscalation: true, capabilities: undefined },
        volumeMounts: [
          socket,
          { name: "kubelet", mountPath: kubelet, mountPropagation: "Bidirectional" },
          { name: "devices", mountPath: "/dev" },
        ],
        ...probesOf(healthy),
      }),
      container("registrar", "csi-node-driver-registrar", {
        command: ["/csi-node-driver-registrar"],
        args: [
          `--csi-address=${socketPath}`,
          `--kubelet-registration-path=${kubelet}/plugins/${driverName}/socket`,
          `--http-endpoint=:${cloudPorts.registrar}`,
        ],
        volumeMounts: [socket, { name: "registration", mountPath: registered }],
        ...probesOf(registers),
      }),
      container("liveness-probe", "livenessprobe", {
        command: ["/livenessprobe"],
        args: [`--csi-address=${socketPath}`, `--health-port=${cloudPorts.driver}`],
        volumeMounts: [socket],
        ...probesOf(listens),
      }),
    ],
    volumes: [
      { name: "kubelet", hostPath: { path: kubelet, type: "Directory" } },
      { name: "plugin", hostPath: { path: `${kubelet}/plugins/${driverName}`, type: "DirectoryOrCreate" } },
      { name: "registration", hostPath: { path: `${kubelet}/plugins_registry`, type: "Directory" } },
      { name: "devices", hostPath: { path: "/dev", type: "Directory" } },
    ],
  };
}

/** The driver's start takes as long as its first question to the metadata service; liveness is patient with a long mkfs. */
const probesOf = (check: k8s.types.input.core.v1.Probe): Partial<Container> => ({
  startupProbe: { ...check, periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 60 },
  livenessProbe: { ...check, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 5 },
  readinessProbe: { ...check, periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 },
});
