import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { ContainerArgs, FileMount, Identity, Probe, Probes, WritableFolder } from "./types";

type PodTemplate = k8s.types.input.core.v1.PodTemplateSpec;
type Container = k8s.types.input.core.v1.Container;
type Volume = k8s.types.input.core.v1.Volume;
type VolumeMount = k8s.types.input.core.v1.VolumeMount;

/** The user of images that name none of their own above 10000: the "nonroot" of distroless images. */
export const defaultIdentity: Identity = { uid: 65532, gid: 65532 };

/** Everything that a pod is planned from. */
export interface PodPlan {
  labels: Record<string, string>;
  /** The labels that set the workload's pods apart from all others of the namespace. */
  selector: Record<string, string>;
  annotations?: Record<string, pulumi.Input<string>>;
  identity: Identity;
  priorityClass: pulumi.Input<string>;
  /** Set only for pods that talk to the API server, or that log in somewhere by their account. */
  serviceAccount?: pulumi.Input<string>;
  /** Mount the account's token for the API server. @default where there is a service account */
  automount?: boolean;
  /** Seconds between the signal to stop and the kill. */
  gracePeriod: number;
  /** The first one carries the pod's name. */
  containers: Record<string, ContainerArgs & { probes?: Probes }>;
  /** Run one after the other before the containers. */
  initContainers?: Record<string, ContainerArgs>;
  /** Shown to every container. */
  files?: FileMount[];
  /** Volumes that none of these containers mounts: for those that an injector adds. */
  volumes?: Volume[];
  /** Volume claims of a StatefulSet: claim name to path, for every container. */
  claims?: Record<string, string>;
  /** For pods that end. @default "Always" */
  restartPolicy?: "Always" | "OnFailure" | "Never";
}

/** The one place where a pod of ours gets its shape: Pod Security "restricted" and what scanners ask beyond it. */
export function planPod(plan: PodPlan): PodTemplate {
  const all = { ...plan.initContainers, ...plan.containers };
  const everyone = plan.files ?? [];
  const volumes = new Map<string, Volume>();
  for (const file of [...everyone, ...Object.values(all).flatMap((container) => container.files ?? [])]) {
    addVolume(volumes, planFileVolume(file));
  }
  for (const [name, container] of Object.entries(all)) {
    for (const folder of container.writable ?? []) addVolume(volumes, planWritableVolume(name, folder));
  }
  for (const volume of plan.volumes ?? []) addVolume(volumes, volume);
  const container = ([name, args]: [string, ContainerArgs & { probes?: Probes }]) =>
    planContainer(name, args, plan.identity, everyone, plan.claims ?? {});
  return {
    metadata: { labels: plan.labels, annotations: plan.annotations },
    spec: {
      serviceAccountName: plan.serviceAccount,
      automountServiceAccountToken: plan.automount ?? plan.serviceAccount !== undefined,
      // Service addresses as environment variables leak the namespace's layout into every process.
      enableServiceLinks: false,
      priorityClassName: plan.priorityClass,
      terminationGracePeriodSeconds: plan.gracePeriod,
      restartPolicy: plan.restartPolicy ?? "Always",
      securityContext: {
        runAsNonRoot: true,
        runAsUser: plan.identity.uid,
        runAsGroup: plan.identity.gid,
        fsGroup: plan.identity.gid,
        fsGroupChangePolicy: "OnRootMismatch",
        seccompProfile: { type: "RuntimeDefault" },
      },
      // Copies of data are for the loss of a machine, and what is on a machine's disk can't move in a drain: never two on one.
      ...(Object.keys(plan.claims ?? {}).length > 0 && {
        affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [alone(plan.selector)] } },
      }),
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: "kubernetes.io/hostname",
          // A single node must still run all of them.
          whenUnsatisfiable: "ScheduleAnyway",
          labelSelector: { matchLabels: plan.selector },
        },
      ],
      initContainers: plan.initContainers && Object.entries(plan.initContainers).map(container),
      containers: Object.entries(plan.containers).map(container),
      volumes: volumes.size > 0 ? [...volumes.values()] : undefined,
    },
  };
}

const alone = (matchLabels: Record<string, string>) => ({
  topologyKey: "kubernetes.io/hostname",
  labelSelector: { matchLabels },
});

function planContainer(
  name: string,
  args: ContainerArgs & { probes?: Probes },
  identity: Identity,
  everyone: FileMount[],
  claims: Record<string, string>,
): Container {
  const mounts: VolumeMount[] = [
    ...[...everyone, ...(args.files ?? [])].map((file) => ({
      name: volumeName(file.path),
      mountPath: file.path,
      readOnly: true,
    })),
    ...(args.writable ?? []).map((folder) => ({ name: volumeName(folder.path, name), mountPath: folder.path })),
    ...Object.entries(claims).map(([claim, path]) => ({ name: claim, mountPath: path })),
  ];
  return {
    name,
    image: args.image.ref,
    // The reference carries the digest: what is on the node is what is meant, and offline nodes can't pull.
    imagePullPolicy: "IfNotPresent",
    command: args.command,
    args: args.args ?? [],
    env: args.env && Object.entries(args.env).map(([key, value]) => ({ name: key, value })),
    ports: args.ports && Object.entries(args.ports).map(([key, containerPort]) => ({ name: key, containerPort })),
    resources: { requests: { ...args.resources.requests }, limits: { ...args.resources.limits } },
    livenessProbe: args.probes && planProbe(args.probes.liveness, 10, 3),
    readinessProbe: args.probes && planProbe(args.probes.readiness, 5, 3),
    startupProbe: args.probes?.startup && planProbe(args.probes.startup, 1, 60),
    securityContext: {
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      runAsUser: identity.uid,
      runAsGroup: identity.gid,
      capabilities: { drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    },
    volumeMounts: mounts.length > 0 ? mounts : undefined,
  };
}

function planProbe(probe: Probe, period: number, failures: number): k8s.types.input.core.v1.Probe {
  const check =
    "http" in probe ? { httpGet: probe.http } : "tcp" in probe ? { tcpSocket: probe.tcp } : { exec: probe.exec };
  return {
    ...check,
    periodSeconds: probe.period ?? period,
    timeoutSeconds: probe.timeout ?? 2,
    failureThreshold: probe.failures ?? failures,
  };
}

function planFileVolume(file: FileMount): Volume {
  const items = file.keys?.map((key) => ({ key, path: key }));
  const name = volumeName(file.path);
  // Readable by the pod's own group and by nobody else.
  if ("together" in file.from) {
    const sources = file.from.together.map(({ files, optional, ...from }) => {
      const shown = Object.entries(files).map(([path, key]) => ({ key, path }));
      return "secret" in from
        ? { secret: { name: from.secret, items: shown, optional } }
        : { configMap: { name: from.configMap, items: shown, optional } };
    });
    return { name, projected: { sources, defaultMode: 0o440 } };
  }
  return "secret" in file.from
    ? { name, secret: { secretName: file.from.secret, items, defaultMode: 0o440 } }
    : { name, configMap: { name: file.from.configMap, items, defaultMode: 0o440 } };
}

function planWritableVolume(container: string, folder: WritableFolder): Volume {
  return {
    name: volumeName(folder.path, container),
    emptyDir: { sizeLimit: folder.size, medium: folder.inMemory ? "Memory" : undefined },
  };
}

/** @throws where two different things want the same place in a pod */
function addVolume(volumes: Map<string, Volume>, volume: Volume): void {
  const name = volume.name as string;
  if (volumes.has(name)) throw new Error(`two volumes of one pod are called ${name}: give one of them another path`);
  volumes.set(name, volume);
}

/** A volume's name from its path: `/etc/groundwork/db` is `etc-groundwork-db`. At most 63 characters. */
export function volumeName(path: string, prefix?: string): string {
  const slug = [prefix, ...path.split("/")]
    .filter((part) => part)
    .join("-")
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return slug.length <= 63 ? slug : `${slug.slice(0, 54)}-${digest(slug).slice(0, 8)}`;
}

/** SHA-256 in hex. */
export function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
