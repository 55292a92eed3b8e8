import { allowedRegistries } from "./allowed-registries";
import { allowedVolumeTypes } from "./allowed-volume-types";
import { apparmorProfile } from "./apparmor-profile";
import { certificateLifetimes } from "./certificate-lifetimes";
import { cloudDeleteProtection } from "./cloud-delete-protection";
import { cloudFirewallPorts } from "./cloud-firewall-ports";
import { cloudServerFirewall } from "./cloud-server-firewall";
import { cloudServerKeys } from "./cloud-server-keys";
import { connectionsAuthorised } from "./connections-authorised";
import { dataStoreBackups } from "./data-store-backups";
import { defaultProcMount } from "./default-proc-mount";
import { dropAllCapabilities } from "./drop-all-capabilities";
import { explicitProvider } from "./explicit-provider";
import { highUserIds } from "./high-user-ids";
import { hostFirewallPorts } from "./host-firewall-ports";
import { imageDigests } from "./image-digests";
import { ingressTls } from "./ingress-tls";
import { keyStrength } from "./key-strength";
import { loadBalancerPorts } from "./load-balancer-ports";
import { monthlyCostCap } from "./monthly-cost-cap";
import { namespaceDefaultAccount } from "./namespace-default-account";
import { namespaceLimitRange } from "./namespace-limit-range";
import { namespaceNetworkPolicies } from "./namespace-network-policies";
import { namespacePodSecurity } from "./namespace-pod-security";
import { namespaceResourceQuota } from "./namespace-resource-quota";
import { noAnonymousBindings } from "./no-anonymous-bindings";
import { noClusterAdmin } from "./no-cluster-admin";
import { noCommandLineSecrets } from "./no-command-line-secrets";
import { noDefaultNamespace } from "./no-default-namespace";
import { noDefaultServiceAccount } from "./no-default-service-account";
import { noEmptyNamespaces } from "./no-empty-namespaces";
import { noExternalIps } from "./no-external-ips";
import { noExternalNames } from "./no-external-names";
import { noHelmRelease } from "./no-helm-release";
import { noHostCommandSecrets } from "./no-host-command-secrets";
import { noHostNamespaces } from "./no-host-namespaces";
import { noHostPorts } from "./no-host-ports";
import { noHostProbes } from "./no-host-probes";
import { noHostProcess } from "./no-host-process";
import { noLongLivedTokens } from "./no-long-lived-tokens";
import { noNodePorts } from "./no-node-ports";
import { noOpenNetworkPolicies } from "./no-open-network-policies";
import { noOrphans } from "./no-orphans";
import { noPasswordLogins } from "./no-password-logins";
import { noPodPatches } from "./no-pod-patches";
import { noPrivilegeEscalation } from "./no-privilege-escalation";
import { noPrivilegedContainers } from "./no-privileged-containers";
import { noRbacControlPlane } from "./no-rbac-control-plane";
import { noRbacEscalation } from "./no-rbac-escalation";
import { noRbacExec } from "./no-rbac-exec";
import { noRbacSecrets } from "./no-rbac-secrets";
import { noRbacWildcards } from "./no-rbac-wildcards";
import { noRbacWorkloadCreation } from "./no-rbac-workload-creation";
import { noSecretConfigMaps } from "./no-secret-config-maps";
import { noSecretEnv } from "./no-secret-env";
import { noSecretValues } from "./no-secret-values";
import { noServiceAccountToken } from "./no-service-account-token";
import { podDisruptionBudgets } from "./pod-disruption-budgets";
import { podSecurityLabels } from "./pod-security-labels";
import { priorityClass } from "./priority-class";
import { probes } from "./probes";
import { protectedData } from "./protected-data";
import { quietSecretCommands } from "./quiet-secret-commands";
import { readOnlyRootFilesystem } from "./read-only-root-filesystem";
import { resourceLimits } from "./resource-limits";
import { resourceQuotaBounds } from "./resource-quota-bounds";
import { runAsNonRoot } from "./run-as-non-root";
import { safeSysctls } from "./safe-sysctls";
import { seccompProfile } from "./seccomp-profile";
import { selinuxOptions } from "./selinux-options";
import { servicesReached } from "./services-reached";
import { sshKeysOnly } from "./ssh-keys-only";
import { topologySpread } from "./topology-spread";
import { webhookSafety } from "./webhook-safety";
import type { Rule } from "../rule";

/** Every rule of the pack, in the order of the table in docs/policies.md. */
export const ruleGroups: readonly { title: string; rules: readonly Rule[] }[] = [
  {
    title: "Pods: the Pod Security Standards, restricted",
    rules: [
      noPrivilegedContainers,
      noHostNamespaces,
      noHostProcess,
      allowedVolumeTypes,
      noHostPorts,
      noHostProbes,
      noPrivilegeEscalation,
      dropAllCapabilities,
      runAsNonRoot,
      seccompProfile,
      apparmorProfile,
      selinuxOptions,
      defaultProcMount,
      safeSysctls,
    ],
  },
  {
    title: "Pods: beyond them",
    rules: [
      highUserIds,
      readOnlyRootFilesystem,
      noServiceAccountToken,
      resourceLimits,
      probes,
      priorityClass,
      topologySpread,
      podDisruptionBudgets,
      noPodPatches,
    ],
  },
  { title: "Images", rules: [imageDigests, allowedRegistries] },
  {
    title: "Secrets",
    rules: [noSecretEnv, noSecretConfigMaps, noSecretValues, noCommandLineSecrets, noLongLivedTokens],
  },
  {
    title: "Network",
    rules: [ingressTls, loadBalancerPorts, noNodePorts, noExternalIps, noExternalNames, noOpenNetworkPolicies],
  },
  {
    title: "Namespaces",
    rules: [
      noDefaultNamespace,
      podSecurityLabels,
      namespacePodSecurity,
      namespaceNetworkPolicies,
      namespaceLimitRange,
      namespaceResourceQuota,
      resourceQuotaBounds,
      namespaceDefaultAccount,
    ],
  },
  {
    title: "RBAC",
    rules: [
      noClusterAdmin,
      noAnonymousBindings,
      noDefaultServiceAccount,
      noRbacWildcards,
      noRbacExec,
      noRbacEscalation,
      noRbacSecrets,
      noRbacWorkloadCreation,
      noRbacControlPlane,
    ],
  },
  { title: "Keys and certificates", rules: [keyStrength, certificateLifetimes] },
  {
    title: "Machines and the cloud",
    rules: [
      noHostCommandSecrets,
      quietSecretCommands,
      sshKeysOnly,
      noPasswordLogins,
      hostFirewallPorts,
      cloudFirewallPorts,
      cloudServerFirewall,
      cloudServerKeys,
      cloudDeleteProtection,
      monthlyCostCap,
    ],
  },
  {
    title: "The graph as a whole",
    rules: [
      explicitProvider,
      noHelmRelease,
      connectionsAuthorised,
      servicesReached,
      noOrphans,
      noEmptyNamespaces,
      webhookSafety,
      protectedData,
      dataStoreBackups,
    ],
  },
];

/** All rules, flat. */
export const rules: readonly Rule[] = ruleGroups.flatMap((group) => group.rules);
