import { literal } from "../cel";
import { baseline, cis, podRule, restricted } from "../rule";
import { entries, isAbsent, list } from "../unknown";

const allowed = [
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "image",
  "persistentVolumeClaim",
  "projected",
  "secret",
];

/** hostPath and the in-tree network volumes reach around the node's and the cluster's boundaries. */
export const allowedVolumeTypes = podRule(
  {
    id: "allowed-volume-types",
    title: "Pods mount no hostPath and only the volume types of the restricted profile",
    severity: "high",
    controls: [cis("5.2.12"), baseline("HostPath Volumes"), restricted("Volume Types")],
    scanners: { trivy: ["KSV-0006", "KSV-0023", "KSV-0028", "KSV-0121"] },
    cluster: {
      per: "pod",
      valid: `variables.podSpec.?volumes.orValue([]).all(v, v.all(t, t in ${literal(["name", ...allowed])}))`,
    },
    remediation: `Use one of ${allowed.join(", ")}.`,
  },
  (pod) =>
    list(pod.spec.volumes).flatMap((volume) =>
      entries(volume)
        .filter(([type, value]) => type !== "name" && !isAbsent(value) && !allowed.includes(type))
        .map(([type]) => `mounts volume "${volume["name"]}" of type ${type}`),
    ),
);
