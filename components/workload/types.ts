import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { ImageArtifact } from "../../artifacts/types";

/** Millicores (`250m`) or whole cores (`2`). */
export type Cpu = `${number}m` | `${number}`;

/** Bytes with a binary unit. */
export type Bytes = `${number}Mi` | `${number}Gi`;

/** One side of a container's needs: all three, so that nothing on a node is unbounded. */
export interface ResourceAmounts {
  cpu: Cpu;
  memory: Bytes;
  "ephemeral-storage": Bytes;
}

/** What a container asks for and what it may use at most, in Kubernetes' own shape; both are required. */
export interface ResourceNeeds {
  requests: ResourceAmounts;
  limits: ResourceAmounts;
}

/** How a container is asked whether it is well. */
export type ProbeCheck =
  | { http: { path: string; port: number; scheme?: "HTTP" | "HTTPS" } }
  | { tcp: { port: number } }
  | { exec: { command: string[] } };

/** A probe. Times are seconds. */
export type Probe = ProbeCheck & {
  /** @default 5 for readiness, 10 for liveness, 1 for startup */
  period?: number;
  /** @default 2 */
  timeout?: number;
  /** Failures in a row that count. @default 3; 60 for startup */
  failures?: number;
};

/** Long-running containers must say how to tell that they live and that they can serve. */
export interface Probes {
  liveness: Probe;
  readiness: Probe;
  /** Holds the other two back while the program starts. @default none */
  startup?: Probe;
}

/** A folder that the program writes to; everything else of its file system is read-only. */
export interface WritableFolder {
  path: string;
  /** Upper bound; the pod is evicted above it. */
  size: Bytes;
  /** Keep it in memory (counts as the container's memory). @default false */
  inMemory?: boolean;
}

/** A Secret or ConfigMap, by name. */
export type FileSource = { secret: pulumi.Input<string> } | { configMap: pulumi.Input<string> };

/** A Secret or ConfigMap as part of a folder. */
export type FolderPart = FileSource & {
  /** Path in the folder to the key that is shown there. */
  files: Record<string, string>;
  /** The pods start without it, and see it once it is there. @default false */
  optional?: boolean;
};

/** A Secret or ConfigMap shown as files; or several in one folder, which then change at one stroke. */
export interface FileMount {
  path: string;
  from: FileSource | { together: FolderPart[] };
  /** The keys to show; each becomes a file of the same name. Not for `together`, which says so itself. @default all keys */
  keys?: string[];
}

/** A container of a pod. Secrets are never passed as `env`: mount them. */
export interface ContainerArgs {
  image: ImageArtifact;
  /** The program with its path: nothing depends on the image's own entry point. */
  command: string[];
  /** @default [] */
  args?: pulumi.Input<string>[];
  /** Settings that are no secret. @default {} */
  env?: Record<string, pulumi.Input<string>>;
  /** Port names (at most 15 characters) and numbers, TCP. @default {} */
  ports?: Record<string, number>;
  resources: ResourceNeeds;
  /** @default none */
  writable?: WritableFolder[];
  /** @default none */
  files?: FileMount[];
}

/** A container that serves for as long as the pod lives. */
export interface ServingContainerArgs extends ContainerArgs {
  probes: Probes;
}

/** User and group of a pod's processes, above 10000 so that they are nobody's on the host. */
export interface Identity {
  uid: number;
  gid: number;
}

/** What outranks what when a node is full: `platform` (operators, edge) over `data` over `application`. */
export type Tier = "platform" | "data" | "application";

/** Permissions of a pod at the API server; asking for any gives it a service account and a token of its own. */
export interface ApiAccess {
  /** Rules in the pod's own namespace. @default none */
  rules?: k8s.types.input.rbac.v1.PolicyRule[];
  /** Rules in other namespaces. @default none */
  elsewhere?: { namespace: NamespaceRef; rules: k8s.types.input.rbac.v1.PolicyRule[] }[];
}

/** A namespace by name. `label` is the plain name; `name` the same once pods may be put there. */
export interface NamespaceRef {
  label: string;
  name: pulumi.Input<string>;
}

/** Changes the arguments of one child just before it is created: for a field that the component's own arguments lack. */
export type Transform<T> = (args: T) => T;
