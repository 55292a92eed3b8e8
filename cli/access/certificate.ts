import { randomBytes, X509Certificate } from "node:crypto";
import type { KubeClient } from "./api";
import { certificateRequest } from "./der";

/** The signer of client certificates for the API server (kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests). */
const signerName = "kubernetes.io/kube-apiserver-client";
const requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";

interface SigningRequest {
  metadata: { name: string };
  spec: object;
  status?: { certificate?: string; conditions?: { type: string; message?: string }[] };
}

/** A certificate with its key, PEM. */
export interface IssuedCertificate {
  certificate: string;
  privateKey: string;
  notAfter: Date;
}

/**
 * Has the cluster sign a client certificate by its CertificateSigningRequest API, approved by whoever `api` logs in as, who
 * must be an administrator of the cluster. The private key is made here and never sent; the request is deleted afterwards.
 *
 * @param hours lifetime of the certificate
 * @throws when the cluster refuses the request, does not sign it within 30 s, or gives it a longer life than asked for
 */
export async function issueCertificate(
  api: KubeClient,
  { user, group, hours }: { user: string; group: string; hours: number },
): Promise<IssuedCertificate> {
  const { privateKey, request } = certificateRequest(user, group);
  const name = `groundwork-access-${randomBytes(6).toString("hex")}`;
  const made = await api.request<SigningRequest>("POST", requests, {
    apiVersion: "certificates.k8s.io/v1",
    kind: "CertificateSigningRequest",
    metadata: { name },
    spec: {
      request: Buffer.from(request).toString("base64"),
      signerName,
      usages: ["client auth", "digital signature"],
      expirationSeconds: hours * 3600,
    },
  });
  try {
    const approved = { type: "Approved", status: "True", reason: "GroundworkAccess", message: `${user} in ${group}` };
    const status = { ...made.status, conditions: [approved] };
    await api.request("PUT", `${requests}/${name}/approval`, { ...made, status });
    const certificate = await signed(api, name);
    const notAfter = new Date(new X509Certificate(certificate).validTo);
    // A signer that does not know the field gives a year; such a certificate must not leave this function.
    if (notAfter.getTime() > Date.now() + hours * 3600_000 + 600_000) {
      throw new Error(
        `the cluster signed until ${notAfter.toISOString()}, longer than the ${hours} h that were asked for`,
      );
    }
    return { certificate, privateKey, notAfter };
  } finally {
    await api.request("DELETE", `${requests}/${name}`);
  }
}

/** Asks until the certificate is there. */
async function signed(api: KubeClient, name: string): Promise<string> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const { status } = await api.request<SigningRequest>("GET", `${requests}/${name}`);
    const failed = status?.conditions?.find(({ type }) => type === "Failed" || type === "Denied");
    if (failed) throw new Error(`the cluster does not sign the certificate: ${failed.message ?? failed.type}`);
    if (status?.certificate) return Buffer.from(status.certificate, "base64").toString("utf8");
    if (Date.now() > deadline) throw new Error("the cluster did not sign the certificate in 30 s");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
