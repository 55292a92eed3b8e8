import { parseAllDocuments } from "yaml";

/** An object of an upstream manifest. */
export interface ManifestObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; [field: string]: unknown };
  [field: string]: unknown;
}

/**
 * When an object of a manifest is made: each phase after the one before it. Webhooks come before workloads, since
 * operators write their CA into them as they start; custom resources need both.
 */
export const phases = ["access", "config", "webhooks", "workloads", "custom"] as const;
export type Phase = (typeof phases)[number];

const kindPhase: Record<string, Phase> = {
  ServiceAccount: "access",
  Role: "access",
  RoleBinding: "access",
  ClusterRole: "access",
  ClusterRoleBinding: "access",
  MutatingWebhookConfiguration: "webhooks",
  ValidatingWebhookConfiguration: "webhooks",
  APIService: "webhooks",
  // The provider waits for a Service's pods, so it must not come before them.
  Service: "workloads",
  Deployment: "workloads",
  StatefulSet: "workloads",
  DaemonSet: "workloads",
  Job: "workloads",
  CronJob: "workloads",
  Pod: "workloads",
};

/** Kinds that upstream manifests have and that live in no namespace. */
const clusterKinds = new Set([
  "APIService",
  "ClusterRole",
  "ClusterRoleBinding",
  "CustomResourceDefinition",
  "IngressClass",
  "MutatingWebhookConfiguration",
  "Namespace",
  "PriorityClass",
  "StorageClass",
  "ValidatingAdmissionPolicy",
  "ValidatingAdmissionPolicyBinding",
  "ValidatingWebhookConfiguration",
]);

/** Groups that Kubernetes itself serves; the others' objects are custom resources. */
const builtIn = /^(|apps|batch|autoscaling|policy|[a-z0-9.-]+\.k8s\.io)$/;

/** What a manifest file holds, sorted into what the graph makes of it. */
export interface ManifestPlan {
  /** Whether it has definitions, which a CRD bundle installs. */
  hasDefinitions: boolean;
  objects: { object: ManifestObject; phase: Phase; namespaced: boolean }[];
}

/** `Deployment/cnpg-controller-manager`: how callers name an object of a manifest. */
export const keyOf = (object: ManifestObject): string => `${object.kind}/${object.metadata.name}`;

/**
 * Reads a manifest and sorts its objects, without namespaces, which the graph makes itself.
 * @throws where a document is no Kubernetes object
 */
export function planManifest(text: string): ManifestPlan {
  const documents = text.split(/^---$/m);
  // Definitions are a megabyte and a second of parsing at each run: they are read only where somebody asks.
  const definitions = documents.filter((document) => /^kind: CustomResourceDefinition$/m.test(document));
  const objects = read(documents.filter((document) => !definitions.includes(document)));
  return {
    hasDefinitions: definitions.length > 0,
    objects: objects
      .filter(({ kind }) => kind !== "Namespace")
      .map((object) => ({ object, phase: phaseOf(object), namespaced: isNamespaced(object, definitions) })),
  };
}

function read(documents: string[]): ManifestObject[] {
  return parseAllDocuments(documents.join("\n---\n")).flatMap((document) => {
    if (document.errors[0]) throw document.errors[0];
    const value = document.toJS() as ManifestObject | null;
    const objects = value === null ? [] : value.kind === "List" ? (value["items"] as ManifestObject[]) : [value];
    for (const object of objects) {
      if (object.apiVersion && object.kind && object.metadata?.name) continue;
      throw new Error(`not a Kubernetes object: ${JSON.stringify(object).slice(0, 80)}`);
    }
    return objects;
  });
}

function phaseOf(object: ManifestObject): Phase {
  return kindPhase[object.kind] ?? (builtIn.test(groupOf(object.apiVersion)) ? "config" : "custom");
}

/** Custom resources are what their definition in the same manifest says, or else namespaced like most. */
function isNamespaced(object: ManifestObject, definitions: string[]): boolean {
  if (builtIn.test(groupOf(object.apiVersion))) return !clusterKinds.has(object.kind);
  const specs = read(definitions).map(({ spec }) => spec as { names: { kind: string }; scope: string });
  return specs.find(({ names }) => names.kind === object.kind)?.scope !== "Cluster";
}

const groupOf = (apiVersion: string): string => (apiVersion.includes("/") ? apiVersion.split("/")[0]! : "");

/** The Pulumi type of a Kubernetes object: `kubernetes:core/v1:Service`, `kubernetes:apps/v1:Deployment`. */
export function tokenOf(object: ManifestObject): string {
  const version = object.apiVersion.includes("/") ? object.apiVersion : `core/${object.apiVersion}`;
  return `kubernetes:${version}:${object.kind}`;
}
