/**
 * Built-in kinds that have no namespace. A custom resource without a namespace is taken for cluster-scoped:
 * its scope stands in its definition, which a rule can't see.
 */
const clusterScoped = new Set([
  "APIService",
  "CertificateSigningRequest",
  "ClusterRole",
  "ClusterRoleBinding",
  "ClusterTrustBundle",
  "CSIDriver",
  "CSINode",
  "CustomResourceDefinition",
  "FlowSchema",
  "IngressClass",
  "MutatingAdmissionPolicy",
  "MutatingAdmissionPolicyBinding",
  "MutatingWebhookConfiguration",
  "Namespace",
  "Node",
  "PersistentVolume",
  "PriorityClass",
  "PriorityLevelConfiguration",
  "RuntimeClass",
  "StorageClass",
  "ValidatingAdmissionPolicy",
  "ValidatingAdmissionPolicyBinding",
  "ValidatingWebhookConfiguration",
  "VolumeAttachment",
]);

/**
 * Custom kinds that have no namespace. As long as their definition is not installed, providers take them for namespaced and
 * put them into `default`.
 */
export const clusterScopedCustom: ReadonlySet<string> = new Set([
  "ClusterExternalSecret",
  "ClusterImageCatalog",
  "ClusterIssuer",
  "ClusterSecretStore",
]);

/** Groups of kinds that Kubernetes itself serves; any other group is a custom resource's. */
const builtInGroup = /^(|apps|batch|autoscaling|policy|[a-z0-9.-]+\.k8s\.io)$/;

/** Whether an object of this kind without a namespace lands in the namespace `default`. */
export const isBuiltInNamespaced = (group: string, kind: string): boolean =>
  builtInGroup.test(group) && !group.startsWith("gateway.") && !clusterScoped.has(kind);

/**
 * Namespaces that Kubernetes makes and fills itself. The rules for whole namespaces do not ask the stack to
 * complete them; the rules for single objects hold there like everywhere.
 */
export const systemNamespaces: ReadonlySet<string> = new Set(["kube-system", "kube-public", "kube-node-lease"]);
