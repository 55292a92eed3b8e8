/**
 * Why a check of kube-bench (benchmark k3s-cis-1.7) does not pass. The security test fails on a check that does not pass and
 * has no reason here, and on a reason that no check needs any more.
 */
export interface CisReason {
  /** Number of the check. */
  check: string;
  /**
   * What kube-bench says of it: FAIL, or WARN for what it can not decide. One that the benchmark itself leaves out for K3s
   * (INFO) needs no reason.
   */
  status: "FAIL" | "WARN";
  /** Why, in a sentence that holds without context, of 30 characters at least. */
  reason: string;
  /** Who answers for it. */
  owner: string;
  /** Last day on which the reason holds, as YYYY-MM-DD; at most 400 days ahead. */
  expires: string;
  /** What shows instead that the control is met: rules of the policy pack, or a look at the machine by the same test. */
  proof: { rules?: string[]; witness?: CisWitness };
}

/**
 * Looks that the test takes itself (tests/support/cis.ts): files' modes, etcd's flags, the accounts that people log in with,
 * what admission refuses. `accepted`: nothing shows it, and the reason is a decision.
 */
export type CisWitness = "files" | "etcd-flags" | "people" | "admission" | "audit" | "accepted";

const standing = { owner: "platform", expires: "2027-11-30" };

const reason = (check: string, status: CisReason["status"], text: string, proof: CisReason["proof"]): CisReason => ({
  check,
  status,
  reason: text,
  ...standing,
  proof,
});

/** The benchmark only asks a person to look; the pack looks at every object of every stack instead. */
const byRules = (check: string, about: string, ...rules: string[]): CisReason =>
  reason(check, "WARN", `kube-bench asks a person to look; the policy pack looks at each object: ${about}.`, { rules });

const etcdFile =
  "kube-bench reads kubeadm's manifest; K3s's etcd has its settings elsewhere, and they are looked at there.";
const quoting =
  "The benchmark's own command is mistyped (it asks stat for a file named %a); the modes are looked at instead.";
const bitmask = "The benchmark's comparison has no flag to compare with and always warns; the file's mode is 600.";

/** The reasons, in the benchmark's order. */
export const cisReasons: readonly CisReason[] = [
  reason("1.1.20", "WARN", quoting, { witness: "files" }),
  reason("1.1.21", "WARN", quoting, { witness: "files" }),
  reason(
    "1.2.11",
    "WARN",
    "AlwaysPullImages would ask a registry at each start; images are imported from archives and named by digest.",
    { rules: ["image-digests", "allowed-registries"] },
  ),
  reason("2.1", "FAIL", etcdFile, { witness: "etcd-flags" }),
  reason("2.2", "FAIL", etcdFile, { witness: "etcd-flags" }),
  reason("2.4", "FAIL", etcdFile, { witness: "etcd-flags" }),
  reason("2.5", "FAIL", etcdFile, { witness: "etcd-flags" }),
  reason("2.7", "WARN", etcdFile, { witness: "etcd-flags" }),
  reason(
    "3.1.1",
    "WARN",
    "People have client certificates of hours until an identity provider is there; groups, and no names, are bound.",
    { witness: "people" },
  ),
  reason("3.1.2", "WARN", "No account of a workload has a token that lasts, so none can be a person's login.", {
    rules: ["no-long-lived-tokens"],
  }),
  reason("3.1.3", "WARN", "There are no bootstrap tokens in the cluster: K3s's nodes join by its own join token.", {
    witness: "people",
  }),
  reason(
    "3.2.2",
    "WARN",
    "Every request is in the audit log with who, what and when, and changes of rights with their content.",
    {
      witness: "audit",
    },
  ),
  reason("4.1.3", "WARN", bitmask, { witness: "files" }),
  reason("4.1.7", "WARN", bitmask, { witness: "files" }),
  byRules("5.1.1", "nobody is bound to cluster-admin", "no-cluster-admin"),
  byRules("5.1.2", "roles name the Secrets that they read", "no-rbac-secrets"),
  byRules("5.1.3", "roles have no wildcards", "no-rbac-wildcards"),
  byRules("5.1.4", "roles create no pods", "no-rbac-workload-creation"),
  byRules("5.1.6", "pods have no token unless they need one", "no-service-account-token", "namespace-default-account"),
  byRules("5.1.7", "no binding names system:masters", "no-cluster-admin"),
  byRules("5.1.8", "no role has bind, escalate or impersonate", "no-rbac-escalation"),
  byRules("5.1.9", "no role creates volumes", "no-rbac-control-plane"),
  byRules("5.1.10", "no role reaches kubelets by the proxy", "no-rbac-control-plane"),
  byRules("5.1.11", "no role approves certificates", "no-rbac-control-plane"),
  byRules("5.1.12", "no role changes webhooks", "no-rbac-control-plane"),
  byRules("5.1.13", "no role makes tokens", "no-rbac-control-plane"),
  reason("5.2.1", "WARN", "Pod Security admission enforces the level restricted in every namespace but kube-system.", {
    witness: "admission",
  }),
  byRules("5.2.2", "no privileged containers", "no-privileged-containers"),
  byRules("5.2.6", "no escalation of privileges", "no-privilege-escalation"),
  byRules("5.2.7", "no containers as root", "run-as-non-root", "high-user-ids"),
  byRules("5.2.8", "all capabilities are dropped", "drop-all-capabilities"),
  byRules("5.2.9", "all capabilities are dropped", "drop-all-capabilities"),
  byRules("5.2.10", "all capabilities are dropped", "drop-all-capabilities"),
  byRules("5.2.11", "no host processes", "no-host-process"),
  byRules("5.2.12", "no volumes of the host", "allowed-volume-types"),
  byRules("5.2.13", "no ports of the host", "no-host-ports"),
  byRules(
    "5.3.1",
    "each namespace is closed both ways by policies, which the node enforces",
    "namespace-network-policies",
  ),
  byRules("5.4.1", "secrets are files, never environment variables", "no-secret-env"),
  reason(
    "5.4.2",
    "WARN",
    "Vault holds the workloads' secrets where a stack switches it on; it is a stack's decision.",
    {
      witness: "accepted",
    },
  ),
  reason(
    "5.5.1",
    "WARN",
    "Images come from the reviewed lock by digest; no registry takes part, so there is nothing to ask a webhook.",
    {
      rules: ["image-digests", "allowed-registries"],
    },
  ),
  byRules(
    "5.7.1",
    "every part has a namespace of its own with quota and limits",
    "namespace-resource-quota",
    "no-default-namespace",
  ),
  byRules("5.7.2", "pods have a seccomp profile", "seccomp-profile"),
  byRules("5.7.3", "pods and containers have a security context", "run-as-non-root", "read-only-root-filesystem"),
];
