import { literal } from "../cel";
import { baseline, podRule } from "../rule";
import { isUnknown, list } from "../unknown";

/** The safe set: namespaced and isolated between pods of a node. */
const safe = [
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.ping_group_range",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
];

/** Other sysctls change the node for everyone on it. */
export const safeSysctls = podRule(
  {
    id: "safe-sysctls",
    title: "Pods set no sysctls outside the safe set",
    severity: "medium",
    controls: [baseline("Sysctls")],
    scanners: { trivy: ["KSV-0026"] },
    cluster: { per: "pod", valid: `variables.podContext.?sysctls.orValue([]).all(s, s.name in ${literal(safe)})` },
    remediation: "Set the sysctl on the host, in the host component's baseline.",
  },
  (pod) =>
    list(pod.spec.securityContext?.sysctls)
      .map((sysctl) => sysctl?.name)
      .filter((name) => !isUnknown(name) && !safe.includes(name ?? ""))
      .map((name) => `sets the sysctl ${name}`),
);
