import { describe, groupOf } from "../resource";
import { groundwork, nsa, ResourceRule } from "../rule";
import { isUnknown } from "../unknown";

const leastRsaBits = 3072;
const curves = ["P256", "P384", "P521"];

/** What is wrong with a key of the tls provider, whose defaults are RSA of 2048 bits and the curve P224. */
function tlsKey({ algorithm, rsaBits, ecdsaCurve }: Record<string, any>): string | undefined {
  if (isUnknown(algorithm) || isUnknown(rsaBits) || isUnknown(ecdsaCurve) || algorithm === "ED25519") return undefined;
  if (algorithm === "RSA") return (rsaBits ?? 2048) < leastRsaBits ? `RSA of ${rsaBits ?? 2048} bits` : undefined;
  return curves.includes(ecdsaCurve) ? undefined : `the curve ${ecdsaCurve ?? "P224"}`;
}

/** The same for cert-manager's Certificate: RSA of 2048 bits unless it says otherwise. */
function certificateKey(key: any): string | undefined {
  const { algorithm = "RSA", size } = isUnknown(key) ? {} : (key ?? {});
  if (isUnknown(key) || isUnknown(algorithm) || isUnknown(size) || algorithm === "Ed25519") return undefined;
  if (algorithm === "RSA") return (size ?? 2048) < leastRsaBits ? `RSA of ${size ?? 2048} bits` : undefined;
  return [256, 384, 521].includes(size ?? 256) ? undefined : `ECDSA of ${size} bits`;
}

/** CEL of `certificateKey`. */
const valid = `object.spec.?privateKey.?algorithm.orValue('RSA') != 'RSA' || object.spec.?privateKey.?size.orValue(2048) >= ${leastRsaBits}`;

/** Weaker keys are outside of what NIST SP 800-57 recommends past 2030. */
export const keyStrength: ResourceRule = {
  id: "key-strength",
  title: "Keys are RSA of 3072 bits or more, P-256, P-384, P-521 or Ed25519",
  severity: "high",
  controls: [nsa("Encryption"), groundwork("Keys that outlive 2030 (NIST SP 800-57)")],
  cluster: { per: "object", of: [{ group: "cert-manager.io", resources: ["certificates"] }], valid },
  remediation: "Use ECDSA with P256 or P384, or Ed25519.",
  scope: "resource",
  check: (resource, report) => {
    const { type, object, props } = resource;
    const certificate = object?.kind === "Certificate" && groupOf(object) === "cert-manager.io";
    const weak =
      type === "tls:index/privateKey:PrivateKey"
        ? tlsKey(props)
        : certificate
          ? certificateKey(isUnknown(props["spec"]) ? props["spec"] : props["spec"]?.privateKey)
          : undefined;
    if (weak) report(`${describe(resource)} makes a key of ${weak}`);
  },
};
