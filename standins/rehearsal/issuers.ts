import { X509Certificate } from "node:crypto";
import { selfSigned } from "./certificate";
import { at, KubeApi, KubeApiError, KubeObject } from "./kube-api";

const certificates = "/apis/cert-manager.io/v1/certificates";

/**
 * Stands in for cert-manager: each Certificate that somebody waits for gets its Secret, with a certificate that signs itself, and the dates in its
 * status. No issuer is asked. Its conditions are set by `fulfil`, like every custom resource's.
 */
export async function issueCertificates(api: KubeApi): Promise<void> {
  const wanted = await api.list(certificates).catch((error: Error) => {
    // Most stacks have no cert-manager.
    if (error instanceof KubeApiError && [404, 429, 503].includes(error.status)) return [];
    throw error;
  });
  for (const certificate of wanted) {
    // As with every custom resource: only what the graph waits for is played.
    if (certificate.metadata.annotations?.["pulumi.com/waitFor"]) await issue(api, certificate);
  }
}

async function issue(api: KubeApi, certificate: KubeObject): Promise<void> {
  const { name, namespace, uid } = certificate.metadata;
  const secretName = at<string>(certificate, "spec", "secretName") ?? name;
  const secrets = `/api/v1/namespaces/${namespace}/secrets`;
  const path = `${certificates.replace("/v1/", `/v1/namespaces/${namespace}/`)}/${name}`;
  if (await api.find(`${secrets}/${secretName}`)) return;
  const names = at<string[]>(certificate, "spec", "dnsNames") ?? [];
  const hours = Number.parseFloat(at<string>(certificate, "spec", "duration") ?? "2160h");
  const made = selfSigned(at<string>(certificate, "spec", "commonName") ?? names[0] ?? name, names, hours);
  await api.post(secrets, {
    metadata: {
      name: secretName,
      namespace,
      ownerReferences: [{ apiVersion: "cert-manager.io/v1", kind: "Certificate", name, uid, controller: true }],
    },
    type: "kubernetes.io/tls",
    stringData: { "tls.crt": made.certificate, "tls.key": made.privateKey, "ca.crt": made.certificate },
  });
  const { validFrom, validTo } = new X509Certificate(made.certificate);
  const iso = (date: string): string => new Date(date).toISOString().replace(/\.\d+Z$/, "Z");
  await api.patch(`${path}/status`, { status: { notBefore: iso(validFrom), notAfter: iso(validTo), revision: 1 } });
}
