import { baseline, containerRule } from "../rule";
import { isAbsent, isUnknown } from "../unknown";

const probes = ["livenessProbe", "readinessProbe", "startupProbe"] as const;
const hooks = ["postStart", "preStop"];

/** A probe with a host makes the kubelet send requests wherever the pod's author likes. */
export const noHostProbes = containerRule(
  {
    id: "no-host-probes",
    title: "Probes and lifecycle hooks go to the pod itself",
    severity: "medium",
    controls: [baseline("Host Probes / Lifecycle Hooks")],
    cluster: {
      per: "container",
      valid: `[${[...probes, ...hooks.map((hook) => `lifecycle.?${hook}`)].map((name) => `c.?${name}`).join(", ")}].all(a, a.?httpGet.?host.orValue('') == '' && a.?tcpSocket.?host.orValue('') == '')`,
    },
    remediation: "Remove the field host from probes and lifecycle hooks.",
  },
  (container) => {
    const actions: [string, any][] = [
      ...probes.map((name): [string, any] => [name, container.spec[name]]),
      ...hooks.map((name): [string, any] => [name, container.spec.lifecycle?.[name]]),
    ];
    return actions
      .filter(([, action]) =>
        [action?.httpGet?.host, action?.tcpSocket?.host].some(
          (host) => !isAbsent(host) && !isUnknown(host) && host !== "",
        ),
      )
      .map(([name]) => `names a host in ${name}`);
  },
);
