import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import * as tls from "@pulumi/tls";
import { knownName, NamespaceRef } from "../workload";

/** The authority that a webhook signs its own serving certificate with. */
export interface WebhookAuthority {
  /** What the API server trusts, PEM. */
  pem: pulumi.Output<string>;
  /** Name of the Secret with the key pair, as `tls.crt`, `tls.key` and `ca.crt`. */
  secret: pulumi.Output<string>;
}

/** Ten years. The webhook would make one of its own at two thirds, which nobody trusts: a run before half-time renews it. */
const validityHours = 87_600;

/**
 * Upstream's webhook makes an authority itself, and a third program (cainjector) that may change every webhook
 * configuration and read every Secret carries it to the API server. The graph knows both places: it makes the authority
 * and puts it there.
 */
export function makeWebhookAuthority(
  name: string,
  namespace: NamespaceRef,
  opts: pulumi.CustomResourceOptions,
): WebhookAuthority {
  const parent = { parent: opts.parent };
  const key = new tls.PrivateKey(`${name}-key`, { algorithm: "ECDSA", ecdsaCurve: "P384" }, parent);
  const privateKey = pulumi.secret(key.privateKeyPemPkcs8);
  const certificate = new tls.SelfSignedCert(
    `${name}-root`,
    {
      privateKeyPem: pulumi.secret(key.privateKeyPem),
      isCaCertificate: true,
      setSubjectKeyId: true,
      validityPeriodHours: validityHours,
      earlyRenewalHours: validityHours / 2,
      subject: { commonName: `${name}`, organization: "Groundwork" },
      allowedUses: ["cert_signing", "digital_signature", "key_encipherment"],
    },
    parent,
  );
  const secret = new k8s.core.v1.Secret(
    name,
    {
      metadata: { name, namespace: namespace.name },
      type: "kubernetes.io/tls",
      stringData: { "tls.crt": certificate.certPem, "tls.key": privateKey, "ca.crt": certificate.certPem },
    },
    opts,
  );
  return { pem: certificate.certPem, secret: knownName(name, secret) };
}
