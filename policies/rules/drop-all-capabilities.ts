import { literal } from "../cel";
import { baseline, cis, containerRule, restricted } from "../rule";
import { isUnknown, list } from "../unknown";

/** The only capability that the restricted profile lets a container add. */
const addable = ["NET_BIND_SERVICE"];

/** A runtime's default set holds NET_RAW, CHOWN, SETUID and more; none is needed by what we run. */
export const dropAllCapabilities = containerRule(
  {
    id: "drop-all-capabilities",
    title: "Containers drop all capabilities",
    severity: "high",
    controls: [cis("5.2.8"), cis("5.2.9"), cis("5.2.10"), baseline("Capabilities"), restricted("Capabilities")],
    scanners: { trivy: ["KSV-0003", "KSV-0004", "KSV-0005", "KSV-0022", "KSV-0106", "KSV-0119", "KSV-0120"] },
    cluster: {
      per: "container",
      valid: `c.?securityContext.?capabilities.?drop.orValue([]).exists(n, n == 'ALL') && c.?securityContext.?capabilities.?add.orValue([]).all(n, n in ${literal(addable)})`,
    },
    remediation: `Set capabilities.drop to ["ALL"] and add nothing but ${addable.join(", ")}.`,
  },
  (container) => {
    const { add, drop } = container.spec.securityContext?.capabilities ?? {};
    const open = isUnknown(drop) || list(drop).some((name) => isUnknown(name) || name === "ALL");
    const added = list(add).filter((name) => !isUnknown(name) && !addable.includes(name));
    return [...(open ? [] : ["does not drop all capabilities"]), ...added.map((name) => `adds the capability ${name}`)];
  },
);
