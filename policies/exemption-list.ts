import type { Exemption } from "./exemptions";

/** CloudNativePG's operator, from its released manifest. */
const operator = { owner: "platform", expires: "2027-11-30", installedIn: "cnpg-system" };
/** What the operator makes of a `Cluster`. */
const instances = {
  resource: "Cluster/*/*",
  owner: "platform",
  expires: "2027-11-30",
  madeBy: { account: "system:serviceaccount:cnpg-system:cnpg-manager", label: "cnpg.io/cluster" },
};
/** The administrators' role; roles, bindings and impersonation are not in it. */
const access = { resource: "ClusterRole/groundwork-admin", owner: "platform", expires: "2027-11-30" };
/** cert-manager, on the workload kit. */
const certManager = { owner: "platform", expires: "2027-11-30", installedIn: "cert-manager" };
/** What cert-manager may do where certificates are kept. */
const certificates = { owner: "platform", expires: "2027-11-30" };
/** Sealed Secrets' controller. */
const sealing = { owner: "platform", expires: "2027-11-30", installedIn: "sealed-secrets" };
/** External Secrets' controller, one for each namespace. */
const external = { owner: "platform", expires: "2027-11-30", installedIn: "external-secrets" };
/** Services for whoever scrapes them: nobody does before the platform observes itself. */
const metrics = { owner: "platform", expires: "2027-06-30", rule: "services-reached" };
/** What keeps cluster and cloud of one mind. */
const cloud = { owner: "platform", expires: "2027-11-30", installedIn: "hcloud" };
/** The half of the volume driver that runs once; not every stack in a cloud has one. */
const volumeController = { ...cloud, installedIn: "*" };
/** The half of the volume driver that runs on every node. */
const volumeNode = { owner: "platform", expires: "2027-11-30", resource: "DaemonSet/kube-system/hcloud-csi-node" };
/** K3s's own pods in kube-system. */
const k3s = { owner: "platform", expires: "2027-11-30" };

/**
 * What differs from the rules on purpose. Each entry is reviewed like code: it names one resource and one rule, says
 * why in a sentence that holds without context, and ends on a date. Keep it short.
 */
export const exemptions: readonly Exemption[] = [
  {
    ...operator,
    resource: "Deployment/cnpg-system/cnpg-controller-manager",
    rule: "no-service-account-token",
    reason: "The operator's work is to watch and change objects through the API server.",
  },
  {
    ...operator,
    resource: "ClusterRole/cnpg-manager",
    rule: "no-rbac-secrets",
    reason: "It makes the Secrets of every cluster (certificates, logins), whose names it can not know beforehand.",
  },
  {
    ...operator,
    resource: "ClusterRole/cnpg-manager",
    rule: "no-rbac-exec",
    reason: "Snapshot backups and hibernation run commands of the instance manager inside the instances' pods.",
  },
  {
    ...operator,
    resource: "ClusterRole/cnpg-manager",
    rule: "no-rbac-workload-creation",
    reason: "It makes the instances' pods, their set-up jobs and the poolers' deployments; that is what it is for.",
  },
  {
    ...operator,
    resource: "ClusterRole/cnpg-manager",
    rule: "no-rbac-control-plane",
    reason: "It puts the authority of its own certificate into its two webhook configurations, and renews it.",
  },
  {
    ...operator,
    resource: "ClusterRole/cnpg-manager-cluster-scope",
    rule: "no-rbac-control-plane",
    reason: "The same two webhook configurations, by name: the part of upstream's role that is bound cluster-wide.",
  },
  {
    ...instances,
    rule: "no-service-account-token",
    reason: "The instance manager in each pod reports its state to the API server and takes part in failover there.",
  },
  {
    ...instances,
    rule: "no-secret-env",
    reason: "The job that sets up a database takes the owner's name, no password, from its Secret to wait for that.",
  },
  {
    ...instances,
    rule: "high-user-ids",
    reason: "Upstream's PostgreSQL images own their files as user and group 26, and start as no other.",
  },
  {
    ...certManager,
    resource: "Deployment/cert-manager/cert-manager",
    rule: "no-service-account-token",
    reason: "The controller's work is to watch certificates and to write Secrets through the API server.",
  },
  {
    ...certManager,
    resource: "Deployment/cert-manager/cert-manager-webhook",
    rule: "no-service-account-token",
    reason: "It reads its own authority's Secret, and asks the API server whether a request may be approved.",
  },
  {
    ...certManager,
    resource: "ClusterRole/cert-manager",
    rule: "no-rbac-secrets",
    reason:
      "Its cache lists the cluster's Secrets and keeps the data of those with its label; it knows no narrower one.",
  },
  {
    ...certManager,
    resource: "Role/cert-manager/cert-manager-in-cert-manager",
    rule: "no-rbac-secrets",
    reason: "It makes and reads there the keys of issuers and accounts, whose names issuers choose later.",
  },
  {
    ...certificates,
    resource: "Role/*/cert-manager-serves-*",
    rule: "no-rbac-secrets",
    reason:
      "It makes the Secrets of certificates, and those of their next keys under names that the API server makes up.",
  },
  {
    ...certificates,
    resource: "Role/*/cert-manager-solves-*",
    rule: "no-rbac-workload-creation",
    reason: "A pod for each HTTP-01 challenge answers the authority's question; it lives for seconds.",
  },
  {
    ...certificates,
    resource: "Role/*/cert-manager-token-of-*",
    rule: "no-rbac-control-plane",
    reason: "It logs in at Vault by a token of an account without any permission, which the rule names.",
  },
  {
    owner: "platform",
    expires: "2027-11-30",
    installedIn: "vault",
    resource: "Deployment/vault/vault-injector",
    rule: "no-service-account-token",
    reason: "It starts with a list of the cluster's webhook configurations and serves nothing before it has that.",
  },
  {
    ...sealing,
    resource: "Deployment/sealed-secrets/sealed-secrets",
    rule: "no-service-account-token",
    reason: "It watches SealedSecrets and makes Secrets of them through the API server; that is what it is for.",
  },
  {
    ...sealing,
    resource: "Role/*/sealed-secrets-in-*",
    rule: "no-rbac-secrets",
    reason: "It makes Secrets under the names that sealed files give them, and finds its own keys by their label.",
  },
  {
    ...external,
    resource: "Deployment/external-secrets/external-secrets-*",
    rule: "no-service-account-token",
    reason: "It watches ExternalSecrets and makes Secrets of them through the API server; that is what it is for.",
  },
  {
    ...external,
    resource: "Role/*/external-secrets-*",
    rule: "no-rbac-secrets",
    reason: "It makes Secrets under the names that ExternalSecrets give them, in the one namespace that it serves.",
  },
  {
    ...external,
    resource: "Role/*/external-secrets-*",
    rule: "no-rbac-control-plane",
    reason: "It logs in at Vault by a token of the store's own account, which it asks the API server for each time.",
  },
  {
    ...cloud,
    resource: "Deployment/hcloud/hcloud-cloud-controller-manager",
    rule: "no-service-account-token",
    reason: "It initialises nodes and removes those without a server, both through the API server.",
  },
  {
    ...volumeController,
    resource: "Deployment/hcloud/hcloud-csi-controller",
    rule: "no-service-account-token",
    reason: "Its sidecars watch claims and attachments and make volumes for them through the API server.",
  },
  {
    ...volumeController,
    resource: "ClusterRole/hcloud-csi-controller",
    rule: "no-rbac-control-plane",
    reason: "A provisioner's work is to make a PersistentVolume for each claim; it names no path of a node in them.",
  },
  {
    ...volumeNode,
    rule: "no-privileged-containers",
    reason:
      "It mounts devices so that other pods see the mounts, which takes a privileged container by Kubernetes' rules.",
  },
  {
    ...volumeNode,
    rule: "no-privilege-escalation",
    reason: "A privileged container can't be told not to escalate: the API server refuses the combination.",
  },
  {
    ...volumeNode,
    rule: "drop-all-capabilities",
    reason: "Formatting and mounting take CAP_SYS_ADMIN on the machine's own devices; the other containers have none.",
  },
  {
    ...volumeNode,
    rule: "allowed-volume-types",
    reason: "It works in the kubelet's folders and on the machine's block devices; it has no token of any kind.",
  },
  {
    ...volumeNode,
    rule: "run-as-non-root",
    reason: "The kubelet's folders and the socket in them are root's; all but the driver run without capabilities.",
  },
  {
    ...volumeNode,
    rule: "high-user-ids",
    reason: "The same folders and socket: a user above 10000 could neither register the driver nor reach it.",
  },
  {
    ...k3s,
    resource: "NetworkPolicy/kube-system/allow-service-load-balancer",
    rule: "no-open-network-policies",
    reason:
      "K3s's load balancer pods are the way in for LoadBalancer Services, on ports that each Service names later.",
  },
  {
    ...access,
    rule: "no-rbac-exec",
    reason: "Administrators repair what runs; who is in the group is reviewed, and their certificates last hours.",
  },
  {
    ...access,
    rule: "no-rbac-secrets",
    reason: "Administrators replace and restore Secrets of any namespace; each read of one is in the audit log.",
  },
  {
    ...access,
    rule: "no-rbac-workload-creation",
    reason: "Administrators run repair jobs and restart workloads; admission refuses them what it refuses everybody.",
  },
  {
    ...metrics,
    resource: "Service/traefik/traefik-metrics",
    reason: "Metrics that nobody collects yet; the edge serves them on a port that no NetworkPolicy opens.",
  },
  {
    ...metrics,
    resource: "Service/cert-manager/cert-manager",
    reason: "Metrics that nobody collects yet; the controller serves them on a port that no NetworkPolicy opens.",
  },
  {
    resource: "Service/*/acme-challenges",
    rule: "services-reached",
    reason: "cert-manager makes the pods that it selects, for the minute in which an authority asks for a proof.",
    owner: "platform",
    expires: "2027-11-30",
  },
  {
    resource: "Cluster/*/app-db",
    rule: "data-store-backups",
    reason: "Backups of the database need an object store, which the platform does not have yet.",
    owner: "platform",
    expires: "2027-03-31",
  },
  {
    ...certificates,
    resource: "Ingress/*/cm-acme-http-solver-*",
    rule: "ingress-tls",
    reason:
      "cert-manager makes one for each HTTP-01 challenge, of a class that nothing serves; the edge has its own route.",
  },
];
