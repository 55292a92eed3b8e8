import * as k8s from "@pulumi/kubernetes";

type PodSpec = k8s.types.input.core.v1.PodSpec;
type Container = k8s.types.input.core.v1.Container;
type Volume = k8s.types.input.core.v1.Volume;

/** Where programs look for the token by which they call the API server. */
export const apiTokenFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Where the keeper finds the token by which it logs in to Vault. */
export const loginTokenFolder = "/var/run/secrets/vault";

/** What a login token of the keepers is made for; no other party accepts it. */
export const keeperAudience = "vault-keeper";

/** The default token's volume, but soon over and for the containers that need it only. */
export function apiTokenVolume(): Volume {
  return {
    name: "api-token",
    projected: {
      defaultMode: 0o440,
      sources: [
        { serviceAccountToken: { path: "token", expirationSeconds: 3607 } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        { downwardAPI: { items: [{ path: "namespace", fieldRef: { fieldPath: "metadata.namespace" } }] } },
      ],
    },
  };
}

/** A token that nobody but Vault accepts, and that for the keepers' roles only. */
export function loginTokenVolume(): Volume {
  return {
    name: "login-token",
    projected: {
      defaultMode: 0o440,
      sources: [{ serviceAccountToken: { path: "token", audience: keeperAudience, expirationSeconds: 600 } }],
    },
  };
}

/** A volume with its place in some of the pod's containers, by name. */
export interface PodVolume {
  volume: Volume;
  path: string;
  containers: string[];
  /** @default false */
  writable?: boolean;
}

/** The pod with more volumes, and without the token that every container would get. The plan's values are plain objects. */
export function withVolumes(spec: PodSpec, more: PodVolume[]): PodSpec {
  const mounted = (container: Container): Container => {
    const mounts = more
      .filter(({ containers }) => containers.includes(container.name as string))
      .map(({ volume, path, writable }) => ({ name: volume.name, mountPath: path, readOnly: writable !== true }));
    if (mounts.length === 0) return container;
    return { ...container, volumeMounts: [...((container.volumeMounts ?? []) as object[]), ...mounts] as never };
  };
  return {
    ...spec,
    automountServiceAccountToken: false,
    initContainers: spec.initContainers && (spec.initContainers as Container[]).map(mounted),
    containers: (spec.containers as Container[]).map(mounted),
    volumes: [...((spec.volumes ?? []) as Volume[]), ...more.map(({ volume }) => volume)],
  };
}

/** The pod with one container changed. */
export function withContainer(spec: PodSpec, name: string, change: (container: Container) => Container): PodSpec {
  const containers = (spec.containers as Container[]).map((one) => (one.name === name ? change(one) : one));
  return { ...spec, containers };
}
