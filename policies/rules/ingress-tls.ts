import { groupOf, Resource } from "../resource";
import { nsa, objectRule, groundwork, Finding } from "../rule";
import { isAbsent, isUnknown, list } from "../unknown";

const kinds = ["Ingress", "IngressRoute", "IngressRouteTCP", "Gateway"];

/** Whether a certificate's name covers a host, wildcard of one label included. */
const covers = (name: string, host: string): boolean =>
  name === host || (name.startsWith("*.") && host.slice(host.indexOf(".")) === name.slice(1));

function ingress(spec: any): Finding {
  const tls = list<any>(spec?.tls);
  if (isUnknown(spec?.tls) || tls.some((entry) => isUnknown(entry) || isUnknown(entry?.hosts))) return undefined;
  if (tls.length === 0) return "has no TLS";
  const names = tls.flatMap((entry) => list<any>(entry?.hosts));
  if (names.some(isUnknown) || tls.some((entry) => list(entry?.hosts).length === 0)) return undefined;
  return list<any>(spec?.rules)
    .map((rule) => rule?.host)
    .filter((host) => !isUnknown(host) && !names.some((name) => covers(name, host ?? "")))
    .map((host) => `serves ${host ?? "every host"} without TLS`);
}

function route(spec: any): Finding {
  return isAbsent(spec?.tls) ? "has no TLS" : undefined;
}

function gateway(spec: any): Finding {
  return list<any>(spec?.listeners)
    .filter((listener) => !isUnknown(listener?.protocol) && !["HTTPS", "TLS"].includes(listener?.protocol))
    .map((listener) => `has the listener "${listener?.name}" with the protocol ${listener?.protocol}`);
}

/** CEL of `ingress`, with the same wildcard of one label. */
const celIngress =
  "object.spec.?tls.orValue([]).size() > 0 && (object.spec.tls.exists(t, t.?hosts.orValue([]).size() == 0) || " +
  "object.spec.?rules.orValue([]).all(r, object.spec.tls.exists(t, t.hosts.exists(h, h == r.?host.orValue('') || " +
  "(h.startsWith('*.') && r.?host.orValue('').contains('.') && " +
  "r.host.substring(r.host.indexOf('.')) == h.substring(1))))))";

/** Ways in: the built-in Ingress, Traefik's routes, the Gateway API's listeners. */
export const ingressTls = objectRule(
  {
    id: "ingress-tls",
    title: "Every way in has TLS",
    severity: "high",
    controls: [nsa("Encryption"), groundwork("TLS on every way in")],
    cluster: { per: "object", of: [{ group: "networking.k8s.io", resources: ["ingresses"] }], valid: celIngress },
    remediation: "Add tls with a Secret of the platform's issuer for every host.",
  },
  kinds,
  ({ spec }, resource: Resource) => {
    if (isUnknown(spec)) return undefined;
    const { kind } = resource.object!;
    if (kind === "Ingress") return ingress(spec);
    if (kind === "Gateway") {
      return groupOf(resource.object!) === "gateway.networking.k8s.io" ? gateway(spec) : undefined;
    }
    return route(spec);
  },
);
