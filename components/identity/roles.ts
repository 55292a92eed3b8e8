/** A rule of a role, in Kubernetes's own terms. */
export interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
}

/** A role of the platform; each is one group of people. */
export type RoleName = "admin" | "developer" | "viewer";
export const roleNames: readonly RoleName[] = ["admin", "developer", "viewer"];

/** Name of the ClusterRole. */
export const clusterRole = (role: RoleName): string => `groundwork-${role}`;
/** Name of the group that is bound to it: `O=` of a client certificate, or a group that an identity provider claims. */
export const groupOf = (role: RoleName): string => `groundwork:${role}s`;

const read = ["get", "list", "watch"];
const write = ["create", "update", "patch", "delete"];

/** Built-in kinds by API group, without Secrets. What is namespaced and an administrator's to change stands in `managed`. */
const managed: Record<string, string[]> = {
  "": [
    "configmaps",
    "endpoints",
    "limitranges",
    "persistentvolumeclaims",
    "pods",
    "resourcequotas",
    "serviceaccounts",
    "services",
  ],
  apps: ["daemonsets", "deployments", "replicasets", "statefulsets"],
  autoscaling: ["horizontalpodautoscalers"],
  batch: ["cronjobs", "jobs"],
  "networking.k8s.io": ["ingresses", "networkpolicies"],
  policy: ["poddisruptionbudgets"],
};
/** Kinds of the operators that the platform may have; none of them holds a secret in the open. */
const custom: Record<string, string[]> = {
  "acme.cert-manager.io": ["challenges", "orders"],
  "bitnami.com": ["sealedsecrets"],
  "cert-manager.io": ["certificaterequests", "certificates", "clusterissuers", "issuers"],
  "external-secrets.io": ["clustersecretstores", "externalsecrets", "secretstores"],
  "postgresql.cnpg.io": ["backups", "clusters", "databases", "poolers", "scheduledbackups"],
};
/** Kinds that people look at and leave to the graph. */
const watched: Record<string, string[]> = {
  "": ["events", "namespaces", "nodes", "persistentvolumes"],
  "admissionregistration.k8s.io": ["validatingadmissionpolicies", "validatingadmissionpolicybindings"],
  "apiextensions.k8s.io": ["customresourcedefinitions"],
  "discovery.k8s.io": ["endpointslices"],
  "events.k8s.io": ["events"],
  "metrics.k8s.io": ["nodes", "pods"],
  "networking.k8s.io": ["ingressclasses"],
  "scheduling.k8s.io": ["priorityclasses"],
  "storage.k8s.io": ["storageclasses", "volumeattachments"],
};

const rules = (kinds: Record<string, string[]>, verbs: string[]): Rule[] =>
  Object.entries(kinds).map(([group, resources]) => ({ apiGroups: [group], resources, verbs }));

/** What there is and how it is: everything but Secrets, logs and what is inside pods. */
const viewer: Rule[] = [...rules(managed, read), ...rules(custom, read), ...rules(watched, read)];

/**
 * What keeps an application going, on top of what a viewer sees: logs, a restart of a pod, another number of replicas. No
 * new workloads: who chooses a pod's account and mounts has every Secret of the namespace. Those come by the graph.
 */
const developer: Rule[] = [
  { apiGroups: [""], resources: ["pods/log"], verbs: ["get"] },
  { apiGroups: [""], resources: ["pods"], verbs: ["delete"] },
  { apiGroups: [""], resources: ["pods/eviction"], verbs: ["create"] },
  { apiGroups: ["apps"], resources: ["deployments/scale", "statefulsets/scale"], verbs: ["get", "patch", "update"] },
  { apiGroups: ["batch"], resources: ["jobs"], verbs: ["delete"] },
];

/**
 * What it takes to run the platform and to repair it, in every namespace: workloads, Secrets, a look inside pods, nodes
 * taken out of service. Not what would make it more than that: no roles or bindings, no impersonation, no approval of
 * certificates, no webhooks, no tokens, no kubelets. Those are the graph's, by the cluster's own kubeconfig.
 */
const admin: Rule[] = [
  ...rules(managed, write),
  ...rules(custom, write),
  { apiGroups: [""], resources: ["secrets"], verbs: [...read, ...write] },
  { apiGroups: [""], resources: ["namespaces"], verbs: write },
  { apiGroups: [""], resources: ["pods/log"], verbs: ["get"] },
  { apiGroups: [""], resources: ["pods/attach", "pods/exec", "pods/portforward"], verbs: ["create", "get"] },
  { apiGroups: [""], resources: ["pods/eviction"], verbs: ["create"] },
  { apiGroups: [""], resources: ["nodes"], verbs: ["patch", "update"] },
  { apiGroups: [""], resources: ["persistentvolumes"], verbs: ["delete", "patch"] },
  { apiGroups: ["apps"], resources: ["deployments/scale", "statefulsets/scale"], verbs: ["get", "patch", "update"] },
  { apiGroups: ["certificates.k8s.io"], resources: ["certificatesigningrequests"], verbs: read },
  {
    apiGroups: ["rbac.authorization.k8s.io"],
    resources: ["clusterrolebindings", "clusterroles", "rolebindings", "roles"],
    verbs: read,
  },
  {
    apiGroups: ["admissionregistration.k8s.io"],
    resources: ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
    verbs: read,
  },
];

/** Rules of the roles. A group is bound to its own role and, for what it sees, to the viewers'. */
export const roleRules: Readonly<Record<RoleName, Rule[]>> = { admin, developer, viewer };
