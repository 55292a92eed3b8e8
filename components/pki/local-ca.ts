import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import * as tls from "@pulumi/tls";
import { NamespaceRef } from "../workload";
import { knownName } from "../workload";

export interface LocalCaArgs {
  /** Shown to people as the issuer. @default "Groundwork local CA" */
  commonName?: string;
  /** @default 87600, ten years */
  validityHours?: number;
}

/** What a certificate is for. */
export interface LeafArgs {
  /** Names that clients use. */
  dnsNames: string[];
  /** Addresses that clients use. @default none */
  ips?: pulumi.Input<string>[];
  /** @default 2160, ninety days */
  validityHours?: number;
  /** Any run of the graph within so many hours of the end renews it. @default 720, thirty days */
  renewBeforeHours?: number;
}

/** What an authority below the root is. */
export interface IntermediateArgs {
  /** Shown to people as the issuer. @default "Groundwork <name>" */
  commonName?: string;
  /** @default 17520, two years */
  validityHours?: number;
  /** Any run of the graph within so many hours of the end renews it. @default 8760, a year */
  renewBeforeHours?: number;
}

/** A certificate with its private key. */
export interface Leaf {
  certificate: pulumi.Output<string>;
  /** PEM, PKCS #8; a secret. */
  privateKey: pulumi.Output<string>;
}

/** A certificate that lies in a namespace. */
export interface ServerCert {
  /** Name of the Secret with `tls.crt` and `tls.key`. */
  secret: pulumi.Output<string>;
  /** The certificate, PEM; changes when it is renewed. */
  certificate: pulumi.Output<string>;
}

/** A certificate authority of the stack's own, for stacks without a public name: its root is what clients trust. */
export class LocalCa extends pulumi.ComponentResource {
  /** The root certificate, PEM. */
  readonly pem: pulumi.Output<string>;
  private readonly name: string;
  private readonly rootKey: pulumi.Output<string>;

  constructor(name: string, args: LocalCaArgs = {}, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:pki:LocalCa", name, {}, opts);
    this.name = name;
    const key = new tls.PrivateKey(`${name}-key`, { algorithm: "ECDSA", ecdsaCurve: "P384" }, { parent: this });
    this.rootKey = pulumi.secret(key.privateKeyPem);
    const root = new tls.SelfSignedCert(
      `${name}-root`,
      {
        privateKeyPem: this.rootKey,
        isCaCertificate: true,
        setSubjectKeyId: true,
        validityPeriodHours: args.validityHours ?? 87_600,
        subject: { commonName: args.commonName ?? "Groundwork local CA", organization: "Groundwork" },
        allowedUses: ["cert_signing", "crl_signing"],
      },
      { parent: this },
    );
    this.pem = root.certPem;
    this.registerOutputs({ pem: this.pem });
  }

  /** Signs a server certificate. */
  issue(name: string, args: LeafArgs): Leaf {
    const [commonName] = args.dnsNames;
    const key = new tls.PrivateKey(`${name}-key`, { algorithm: "ECDSA", ecdsaCurve: "P256" }, { parent: this });
    const privateKey = pulumi.secret(key.privateKeyPemPkcs8);
    const request = new tls.CertRequest(
      `${name}-request`,
      {
        privateKeyPem: privateKey,
        dnsNames: args.dnsNames,
        ipAddresses: args.ips,
        subject: { commonName, organization: "Groundwork" },
      },
      { parent: this },
    );
    const certificate = new tls.LocallySignedCert(
      `${name}-certificate`,
      {
        certRequestPem: request.certRequestPem,
        caPrivateKeyPem: this.rootKey,
        caCertPem: this.pem,
        setSubjectKeyId: true,
        validityPeriodHours: args.validityHours ?? 2_160,
        earlyRenewalHours: args.renewBeforeHours ?? 720,
        allowedUses: ["digital_signature", "server_auth"],
      },
      { parent: this },
    );
    return { certificate: certificate.certPem, privateKey };
  }

  /**
   * Signs an authority below this one, for a program that issues by itself: it gets this key and never the root's. The
   * certificate comes with the root, so that the program can hand both on.
   */
  issueIntermediate(name: string, args: IntermediateArgs = {}): Leaf {
    const key = new tls.PrivateKey(`${name}-key`, { algorithm: "ECDSA", ecdsaCurve: "P384" }, { parent: this });
    const request = new tls.CertRequest(
      `${name}-request`,
      {
        privateKeyPem: pulumi.secret(key.privateKeyPem),
        subject: { commonName: args.commonName ?? `Groundwork ${name}`, organization: "Groundwork" },
      },
      { parent: this },
    );
    const certificate = new tls.LocallySignedCert(
      `${name}-certificate`,
      {
        certRequestPem: request.certRequestPem,
        caPrivateKeyPem: this.rootKey,
        caCertPem: this.pem,
        isCaCertificate: true,
        setSubjectKeyId: true,
        validityPeriodHours: args.validityHours ?? 17_520,
        earlyRenewalHours: args.renewBeforeHours ?? 8_760,
        allowedUses: ["cert_signing", "crl_signing", "digital_signature"],
      },
      { parent: this },
    );
    return {
      certificate: pulumi.interpolate`${certificate.certPem}${this.pem}`,
      privateKey: pulumi.secret(key.privateKeyPemPkcs8),
    };
  }

  /**
   * Signs a server certificate and puts it into a namespace as a Secret of type kubernetes.io/tls. The Secret is the
   * consumer's child: the authority itself belongs to no cluster.
   */
  issueServerCert(
    name: string,
    args: LeafArgs & { namespace: NamespaceRef },
    opts: pulumi.CustomResourceOptions,
  ): ServerCert {
    const leaf = this.issue(name, args);
    const secret = new k8s.core.v1.Secret(
      `${name}-tls`,
      {
        metadata: { name: `${name}-tls`, namespace: args.namespace.name },
        type: "kubernetes.io/tls",
        stringData: { "tls.crt": leaf.certificate, "tls.key": leaf.privateKey },
      },
      opts,
    );
    return { secret: knownName(`${name}-tls`, secret), certificate: leaf.certificate };
  }
}
