import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { knownName, NamespaceRef } from "../workload";
import { Issuer } from "./issuer";

export interface CertificateArgs {
  issuer: Issuer;
  namespace: NamespaceRef;
  /** Names that clients use; none for a client's own certificate, which then needs a `commonName`. */
  dnsNames: string[];
  /** @default none: names belong into `dnsNames` */
  commonName?: string;
  /** @default ["server auth"] */
  usages?: ("server auth" | "client auth")[];
  /** Lifetime, in hours (`2160h`); an authority may give less. @default "2160h", ninety days */
  duration?: `${number}h`;
  /** cert-manager renews it so long before its end, in hours. @default "720h", thirty days */
  renewBefore?: `${number}h`;
  /** Labels of the Secret. @default none */
  labels?: Record<string, string>;
}

/** A certificate that renews itself. */
export interface IssuedCertificate {
  /** Name of the Secret with `tls.crt`, `tls.key` and, unless ACME signed it, `ca.crt`; known once it is there. */
  secret: pulumi.Output<string>;
  certificate: k8s.apiextensions.CustomResource;
}

/** Name of the Secret that a certificate is kept in. */
export const certificateSecret = (name: string): string => `${name}-tls`;

/**
 * The Certificate object. P-256 with a new key at each renewal, PKCS #8.
 *
 * @throws where it has neither a DNS name nor a common name, or would be renewed as soon as it is issued
 */
export function planCertificate(name: string, args: CertificateArgs) {
  const duration = args.duration ?? "2160h";
  const renewBefore = args.renewBefore ?? "720h";
  if (args.dnsNames.length === 0 && !args.commonName) {
    throw new Error(`the certificate ${name} is for nobody: give it a DNS name or a common name`);
  }
  if (Number.parseFloat(renewBefore) >= Number.parseFloat(duration)) {
    throw new Error(
      `the certificate ${name} lives ${duration} and is renewed ${renewBefore} before its end: never new`,
    );
  }
  return {
    apiVersion: "cert-manager.io/v1",
    kind: "Certificate",
    metadata: {
      name,
      namespace: args.namespace.name,
      annotations: { "pulumi.com/waitFor": "condition=Ready" },
    },
    spec: {
      secretName: certificateSecret(name),
      ...(args.labels && { secretTemplate: { labels: args.labels } }),
      duration,
      renewBefore,
      revisionHistoryLimit: 1,
      privateKey: { algorithm: "ECDSA", size: 256, encoding: "PKCS8", rotationPolicy: "Always" },
      usages: ["digital signature", ...(args.usages ?? ["server auth"])],
      ...(args.commonName && { commonName: args.commonName }),
      ...(args.dnsNames.length > 0 && { dnsNames: args.dnsNames }),
      issuerRef: { group: "cert-manager.io", kind: args.issuer.kind, name: args.issuer.name },
    },
  };
}

/**
 * Asks an issuer for a certificate and keeps it in a Secret of the namespace; cert-manager renews it there from then on.
 * Whoever mounts the Secret has to read it again when it changes.
 */
export function issueCertificate(
  name: string,
  args: CertificateArgs,
  opts: pulumi.CustomResourceOptions = {},
): IssuedCertificate {
  const granted = args.issuer.serve?.(args.namespace) ?? [];
  const dependsOn = [...granted, ...asList(opts.dependsOn)];
  const certificate = new k8s.apiextensions.CustomResource(
    `${name}-certificate`,
    planCertificate(name, args),
    // No value of the permission goes into the certificate, yet without it nobody makes the Secret.
    { customTimeouts: { create: "5m", update: "5m" }, ...opts, dependsOn },
  );
  return { secret: knownName(certificateSecret(name), certificate), certificate };
}

type Dependencies = NonNullable<pulumi.CustomResourceOptions["dependsOn"]>;

function asList(dependsOn: Dependencies | undefined): pulumi.Input<pulumi.Resource>[] {
  if (dependsOn === undefined) return [];
  return Array.isArray(dependsOn) ? dependsOn : [dependsOn as pulumi.Input<pulumi.Resource>];
}
