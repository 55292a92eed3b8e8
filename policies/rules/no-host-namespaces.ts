import { baseline, cis, nsa, podRule } from "../rule";

const fields = ["hostNetwork", "hostPID", "hostIPC"] as const;

/** A pod in a host namespace sees the node's processes, shared memory or network interfaces. */
export const noHostNamespaces = podRule(
  {
    id: "no-host-namespaces",
    title: "Pods do not share the host's namespaces",
    severity: "critical",
    controls: [cis("5.2.3"), cis("5.2.4"), cis("5.2.5"), baseline("Host Namespaces"), nsa("Pod security enforcement")],
    scanners: { trivy: ["KSV-0008", "KSV-0009", "KSV-0010"] },
    cluster: {
      per: "pod",
      valid: "!['hostNetwork', 'hostPID', 'hostIPC'].exists(f, f in variables.podSpec && variables.podSpec[f] == true)",
    },
    remediation: "Remove hostNetwork, hostPID and hostIPC from the pod's spec.",
  },
  (pod) => fields.filter((field) => pod.spec[field] === true).map((field) => `sets ${field}`),
);
