import * as k8s from "@pulumi/kubernetes";

type Rule = k8s.types.input.rbac.v1.PolicyRule;

const read = ["get", "list", "watch"];
const own = "cert-manager.io";
const acme = "acme.cert-manager.io";

/**
 * What the controller needs of the whole cluster. Its caches are the cluster's: of Secrets it lists all, keeping the data
 * of those that carry its label only. The API server knows no permission that says the same, nor a cache of several
 * namespaces: this is the one thing that can't be narrowed.
 */
export function clusterRules(usesAcme: boolean): Rule[] {
  return [
    { apiGroups: [own], resources: ["certificates", "certificaterequests", "issuers", "clusterissuers"], verbs: read },
    { apiGroups: [acme], resources: ["orders", "challenges"], verbs: read },
    { apiGroups: [own], resources: ["clusterissuers", "clusterissuers/status"], verbs: ["update", "patch"] },
    { apiGroups: [own], resources: ["clusterissuers/finalizers"], verbs: ["update"] },
    {
      apiGroups: [own],
      resources: ["signers"],
      resourceNames: ["clusterissuers.cert-manager.io/*"],
      verbs: ["approve"],
    },
    { apiGroups: [""], resources: ["secrets"], verbs: ["list", "watch"] },
    { apiGroups: [""], resources: ["events"], verbs: ["create", "patch"] },
    ...(usesAcme
      ? [
          { apiGroups: [""], resources: ["pods", "services"], verbs: ["list", "watch"] },
          { apiGroups: ["networking.k8s.io"], resources: ["ingresses"], verbs: ["list", "watch"] },
        ]
      : []),
  ];
}

/** What the controller needs where certificates are kept. */
export function servedRules(): Rule[] {
  return [
    {
      apiGroups: [own],
      resources: ["certificates", "certificates/status", "certificaterequests/status"],
      verbs: ["update", "patch"],
    },
    { apiGroups: [own], resources: ["certificaterequests"], verbs: ["create", "update", "patch", "delete"] },
    {
      apiGroups: [own],
      resources: ["certificates/finalizers", "certificaterequests/finalizers"],
      verbs: ["update"],
    },
    // Names of the Secrets with the next private key are made up by the API server.
    { apiGroups: [""], resources: ["secrets"], verbs: ["get", "create", "update", "patch", "delete"] },
    { apiGroups: [acme], resources: ["orders", "challenges"], verbs: ["create", "update", "patch", "delete"] },
    { apiGroups: [acme], resources: ["orders/status", "challenges/status"], verbs: ["update", "patch"] },
    { apiGroups: [acme], resources: ["orders/finalizers", "challenges/finalizers"], verbs: ["update"] },
  ];
}

/** What the controller needs besides, where HTTP-01 challenges are answered: a pod, a Service and an Ingress for each. */
export const solverRules: Rule[] = [
  { apiGroups: [""], resources: ["pods", "services"], verbs: ["get", "create", "delete"] },
  { apiGroups: ["networking.k8s.io"], resources: ["ingresses"], verbs: ["get", "create", "update", "delete"] },
];

/** Where the material of ClusterIssuers is kept: the authority's key pair, accounts at ACME servers. */
export const ownNamespaceRules: Rule[] = [
  { apiGroups: [""], resources: ["secrets"], verbs: ["get", "create", "update", "patch", "delete"] },
];

/** The webhook asks whether the one who approves a request may do so. */
export const webhookClusterRules: Rule[] = [
  { apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"], verbs: ["create"] },
];

/** The webhook signs its own serving certificate with the key pair in this Secret, which the graph makes and renews. */
export const webhookRules = (secret: string): Rule[] => [
  { apiGroups: [""], resources: ["secrets"], resourceNames: [secret], verbs: read },
];
