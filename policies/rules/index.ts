import { allowedRegistries } from "./allowed-registries";
import { allowedVolumeTypes } from "./allowed-volume-types";
import { apparmorProfile } from "./apparmor-profile";
import { defaultProcMount } from "./default-proc-mount";
import { dropAllCapabilities } from "./drop-all-capabilities";
import { explicitProvider } from "./explicit-provider";
import { highUserIds } from "./high-user-ids";
import { imageDigests } from "./image-digests";
import { ingressTls } from "./ingress-tls";
import { loadBalancerPorts } from "./load-balancer-ports";
import { namespaceDefaultAccount } from "./namespace-default-account";
import { namespaceLimitRange } from "./namespace-limit-range";
import { namespaceNetworkPolicies } from "./namespace-network-policies";
import { namespaceResourceQuota } from "./namespace-resource-quota";
import { noAnonymousBindings } from "./no-anonymous-bindings";
import { noClusterAdmin } from "./no-cluster-admin";
import { noCommandLineSecrets } from "./no-command-line-secrets";
import { noDefaultNamespace } from "./no-default-namespace";
import { noDefaultServiceAccount } from "./no-default-service-account";
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
import { quietSecretCommands } from "./quiet-secret-commands";
import { readOnlyRootFilesystem } from "./read-only-root-filesystem";
import { resourceLimits } from "./resource-limits";
import { runAsNonRoot } from "./run-as-non-root";
import { safeSysctls } from "./safe-sysctls";
import { seccompProfile } from "./seccomp-profile";
import { selinuxOptions } from "./selinux-options";
import { sshKeysOnly } from "./ssh-keys-only";
import { topologySpread } from "./topology-spread";
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
      namespaceNetworkPolicies,
      namespaceLimitRange,
      namespaceResourceQuota,
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
  {
    title: "The graph and the hosts",
    rules: [explicitProvider, noHelmRelease, noHostCommandSecrets, quietSecretCommands, sshKeysOnly],
  },
];

/** All rules, flat. */
export const rules: readonly Rule[] = ruleGroups.flatMap((group) => group.rules);
