import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { ImageArtifact } from "../../artifacts/types";
import { Endpoint, hostOf } from "./endpoint";
import { FileMount, Identity, ResourceNeeds } from "./types";

/** Where the agent puts files, in every container of the pod; in memory. */
export const vaultSecrets = "/vault/secrets";

/** The label that asks for the injector: its webhook looks at no pod without it. */
export const injectLabel = { "groundwork/vault-agent": "inject" };

/** The volume with the token that the agent logs in with. No other container mounts it. */
export const vaultTokenVolume = "vault-login";

/** A file that Vault Agent renders and renders anew, as long as the pod runs. */
export interface VaultFile {
  /** In consul-template's language, for instance `{{ with secret "kv/data/api" }}{{ .Data.data.password }}{{ end }}`. */
  template: string;
  /** Owner is the pod's user, group the pod's group. @default "0400" */
  mode?: "0400" | "0440";
}

/** Files out of Vault for a workload's pods: Vault Agent logs in by the pod's own account and renders them. */
export interface VaultAccess {
  /** Pods come after it; a pod that is made without it would never get its files. */
  injector: { ready: pulumi.Input<string>; /** Default: the injector's. */ agentImage?: ImageArtifact };
  /** Vault's own, with TLS and an authority: the agents' only way out besides the workload's `uses`. */
  endpoint: Endpoint;
  /** Role of Vault's Kubernetes auth, bound to the account of the workload's name. */
  role: string;
  /** What the login token is good for; the role must ask for the same. @default "vault" */
  audience?: string;
  /** Name in /vault/secrets (letters, digits, `.`, `_`, `-`; at most 36) to what is in it. */
  files: Record<string, VaultFile>;
  /** Known once the role and its policies stand in Vault. */
  access: pulumi.Input<string>;
  /** How often values without a lease (KV) are read again, for instance `30s`. @default "1m" */
  refresh?: string;
  /** Of the agent, which is there twice while the pod starts. @default 10m/64Mi to 250m/160Mi */
  resources?: ResourceNeeds;
}

const defaultResources: ResourceNeeds = {
  requests: { cpu: "10m", memory: "64Mi", "ephemeral-storage": "16Mi" },
  limits: { cpu: "250m", memory: "160Mi", "ephemeral-storage": "64Mi" },
};

/** What the agent's plan depends on in its pod. */
export interface AgentPod {
  identity: Identity;
  /** Seconds between the signal to stop and the kill. */
  gracePeriod: number;
  /** Vault's authority, as a volume of the pod. */
  authority: { volume: string; file: string; path: string };
  /** The pod ends by itself: files are rendered once, before it starts. */
  ends: boolean;
}

/**
 * The annotations by which the injector (vault-k8s) adds an init container and a sidecar, both with restricted Pod
 * Security. Names and meanings: agent-inject/agent/annotations.go of vault-k8s v1.6.
 *
 * @throws where a file's name can not be part of an annotation, or there is no file
 */
export function planAgent(vault: VaultAccess, pod: AgentPod): Record<string, pulumi.Input<string>> {
  const { requests, limits } = vault.resources ?? defaultResources;
  const files = Object.entries(vault.files);
  if (files.length === 0) throw new Error(`the role ${vault.role} of Vault is to give files, and none is named`);
  for (const [name] of files) checkName(name);
  const plain: Record<string, pulumi.Input<string>> = {
    "agent-inject": after("true", vault.injector.ready),
    "agent-init-first": "true",
    "agent-pre-populate": "true",
    "agent-pre-populate-only": String(pod.ends),
    ...(vault.injector.agentImage && { "agent-image": vault.injector.agentImage.ref }),
    "agent-set-security-context": "true",
    "agent-run-as-user": String(pod.identity.uid),
    "agent-run-as-group": String(pod.identity.gid),
    "agent-service-account-token-volume-name": vaultTokenVolume,
    "agent-requests-cpu": requests.cpu,
    "agent-requests-mem": requests.memory,
    "agent-requests-ephemeral": requests["ephemeral-storage"],
    "agent-limits-cpu": limits.cpu,
    "agent-limits-mem": limits.memory,
    "agent-limits-ephemeral": limits["ephemeral-storage"],
    service: `https://${hostOf(vault.endpoint)}:${vault.endpoint.port}`,
    "ca-cert": `${pod.authority.path}/${pod.authority.file}`,
    role: after(vault.role, vault.access),
    // With the pod goes its token, and with that all its leases: no login outlives who used it.
    "agent-revoke-on-shutdown": String(!pod.ends),
    "agent-revoke-grace": String(Math.floor(pod.gracePeriod / 2)),
    // While Vault is away the pod keeps serving with the files that it has, and the agent goes on asking.
    "template-config-exit-on-retry-failure": "false",
    "template-static-secret-render-interval": vault.refresh ?? "1m",
    "auth-max-backoff": "30s",
    "preserve-secret-case": "true",
    "agent-json-patch": agentPatch(pod),
    "agent-init-json-patch": agentPatch(pod),
  };
  for (const [name, file] of files) {
    plain[`agent-inject-template-${name}`] = file.template;
    plain[`agent-inject-perms-${name}`] = file.mode ?? "0400";
    // Half a secret is worse than none: a missing key stops the rendering instead of becoming "<no value>".
    plain[`error-on-missing-key-${name}`] = "true";
  }
  return Object.fromEntries(Object.entries(plain).map(([key, value]) => [`vault.hashicorp.com/${key}`, value]));
}

/** The login token: for Vault and nobody else, and soon over. The agent reads it anew at each login. */
export function planLoginToken(audience = "vault"): k8s.types.input.core.v1.Volume {
  return {
    name: vaultTokenVolume,
    projected: {
      defaultMode: 0o440,
      sources: [{ serviceAccountToken: { path: "token", audience, expirationSeconds: 600 } }],
    },
  };
}

/** The folder in which a connection shows the authority of an endpoint; Vault's must have one. @throws without */
export function authorityOf(endpoint: Endpoint, files: FileMount[]): { path: string; file: string } {
  const key = endpoint.authority?.key;
  const mount = files.find(({ keys }) => key !== undefined && keys?.length === 1 && keys[0] === key);
  if (!key || !mount) throw new Error(`the endpoint ${endpoint.name} has no certificate authority to check it by`);
  return { path: mount.path, file: key };
}

/** What the injector has no annotation for, as a JSON patch of its containers. */
function agentPatch({ authority }: AgentPod): string {
  const mount = { name: authority.volume, mountPath: authority.path, readOnly: true };
  return JSON.stringify([
    { op: "add", path: "/volumeMounts/-", value: mount },
    // The user has no entry in the image's passwd; the command that revokes the token looks for it at home.
    { op: "add", path: "/env/-", value: { name: "HOME", value: "/home/vault" } },
    { op: "add", path: "/securityContext/seccompProfile", value: { type: "RuntimeDefault" } },
  ]);
}

/** `value`, once `event` is known, whatever that is: an edge of the graph that changes nothing in the pod. */
function after(value: string, event: pulumi.Input<string>): pulumi.Output<string> {
  return pulumi.output(event).apply(() => value);
}

/** An annotation's name has at most 63 characters, of which the longest prefix here takes 22. */
function checkName(name: string): void {
  // `agent-inject-template-file-x` means something else to the injector.
  if (/^(?!file-)[A-Za-z0-9]([-A-Za-z0-9_.]{0,34}[A-Za-z0-9])?$/.test(name)) return;
  throw new Error(
    `"${name}" can not name a file of Vault Agent: letters, digits, ".", "_" and "-", at most 36, and not "file-..."`,
  );
}
