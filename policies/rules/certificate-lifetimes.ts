import { hours } from "../quantity";
import { describe, groupOf, Resource } from "../resource";
import { groundwork, nsa, ResourceRule } from "../rule";
import { isAbsent, isUnknown } from "../unknown";

/** Hours: ten years with their leap days; what browsers take of public authorities; ninety days for what we sign. */
const most = { authority: 87_672, public: 398 * 24, own: 90 * 24 };
type Kind = keyof typeof most;

/** Issuers whose certificates the public's browsers trust; they set the lifetime themselves. */
const publicIssuers = ["letsencrypt-staging", "letsencrypt-prod"];

interface Lifetime {
  kind: Kind;
  hours: number | undefined;
}

/** How long what a resource issues is valid; nothing where it issues none, or where that is not known yet. */
function lifetime({ type, object, props }: Resource): Lifetime | undefined {
  if (/^tls:index\/(selfSignedCert|locallySignedCert):/.test(type)) {
    const { isCaCertificate, validityPeriodHours } = props;
    if (isUnknown(isCaCertificate) || isUnknown(validityPeriodHours)) return undefined;
    return { kind: isCaCertificate === true ? "authority" : "own", hours: validityPeriodHours };
  }
  if (object?.kind !== "Certificate" || groupOf(object) !== "cert-manager.io") return undefined;
  const spec = props["spec"];
  const issuer = spec?.issuerRef?.name;
  if ([spec, spec?.duration, spec?.isCA, issuer].some(isUnknown)) return undefined;
  const kind = spec?.isCA === true ? "authority" : publicIssuers.includes(issuer) ? "public" : "own";
  // cert-manager's default is ninety days.
  return { kind, hours: isAbsent(spec?.duration) ? most.own : hours(spec.duration) };
}

/** A short life bounds what a stolen key is good for, and keeps renewal in practice. */
export const certificateLifetimes: ResourceRule = {
  id: "certificate-lifetimes",
  title: "Authorities live ten years at most, public certificates 398 days, our own 90",
  severity: "medium",
  controls: [nsa("Encryption"), groundwork("Certificates that renew themselves")],
  cluster: {
    per: "object",
    of: [{ group: "cert-manager.io", resources: ["certificates"] }],
    valid:
      `duration(object.spec.?duration.orValue('${most.own}h')) <= duration(object.spec.?isCA.orValue(false) ? ` +
      `'${most.authority}h' : object.spec.issuerRef.name in ['${publicIssuers.join("', '")}'] ? '${most.public}h' : '${most.own}h')`,
  },
  remediation: "Ask for 90 days (2160h) and let it be renewed.",
  scope: "resource",
  check: (resource, report) => {
    const found = lifetime(resource);
    if (!found) return;
    if (found.hours === undefined) report(`${describe(resource)} has a lifetime that is no duration`);
    else if (found.hours > most[found.kind]) {
      report(`${describe(resource)} is valid for ${found.hours} hours, more than ${most[found.kind]}`);
    }
  },
};
