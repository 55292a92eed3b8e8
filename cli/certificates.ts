import { X509Certificate } from "node:crypto";
import * as tls from "node:tls";
import type { StackReport } from "../stacks/report";
import { KubeError, KubeReader } from "./kube";
import { table } from "./ui";

/** Where a certificate was found. */
export type CertificateSource =
  /** A Certificate object of cert-manager's, which renews it. */
  | "cert-manager"
  /** A Secret that the graph fills; a run of it renews the certificate. */
  | "graph"
  /** A Secret that an operator or the cluster itself fills and renews, in its own time. */
  | "operator"
  /** The root that clients trust: nothing renews it by itself. */
  | "root"
  /** What the edge showed when it was asked. */
  | "edge";

/** One certificate and how long it is still good. */
export interface CertificateStatus {
  /** `namespace/name`, the host that was asked, or "root" for the one that clients trust. */
  name: string;
  source: CertificateSource;
  /** End of its life, ISO 8601; absent where none was issued or none was shown. */
  notAfter?: string;
  /** Whole days until then, negative afterwards. */
  daysLeft?: number;
  /** What is wrong: expired, below a third of its life, not issued, not shown. Absent when all is well. */
  warning?: string;
}

interface CertificateObject {
  metadata: { name: string; namespace: string };
  status?: {
    notBefore?: string;
    notAfter?: string;
    conditions?: { type: string; status: string; message?: string }[];
  };
}

interface SecretObject {
  metadata: {
    name: string;
    namespace: string;
    annotations?: Record<string, string>;
    ownerReferences?: object[];
    labels?: Record<string, string>;
  };
  data?: Record<string, string>;
}

const day = 86_400_000;

/** Operators renew in the last week (CloudNativePG) or at a restart: earlier there is nothing to say. */
const operatorsTurn = 5 * day;

/** What to do about a certificate that is near its end. */
const remedies: Record<CertificateSource, string> = {
  "cert-manager": "cert-manager has not renewed it: docs/runbooks/certificates.md",
  graph: "run `npm run up`, which renews it",
  operator: "its operator has not renewed it: look at the operator's log",
  root: "plan a new one, which every client has to be given: docs/runbooks/certificates.md",
  edge: "the edge shows an old one: docs/runbooks/certificates.md",
};

/** How long a certificate with this life is still good, and whether that is enough. */
export function remaining(
  source: CertificateSource,
  life: { from: Date; to: Date },
  now: Date,
): Pick<CertificateStatus, "notAfter" | "daysLeft" | "warning"> {
  const left = life.to.getTime() - now.getTime();
  const third = (life.to.getTime() - life.from.getTime()) / 3;
  const enough = source === "operator" ? Math.min(third, operatorsTurn) : third;
  const found = { notAfter: life.to.toISOString(), daysLeft: Math.floor(left / day) };
  if (left <= 0) return { ...found, warning: `expired; ${remedies[source]}` };
  if (life.from.getTime() > now.getTime()) return { ...found, warning: "is from the future: a clock is wrong" };
  if (left < enough) return { ...found, warning: `near its end; ${remedies[source]}` };
  return found;
}

const lifeOf = (pem: string): { from: Date; to: Date } => {
  const { validFrom, validTo } = new X509Certificate(pem);
  return { from: new Date(validFrom), to: new Date(validTo) };
};

/** Every certificate of a stack, those that end first at the top. */
export async function readCertificates(
  report: Pick<StackReport, "ca" | "hostnames" | "ingressAddress">,
  kube: KubeReader,
  now = new Date(),
): Promise<CertificateStatus[]> {
  const found = await Promise.all([
    ofCertManager(kube, now),
    inSecrets(kube, now),
    Promise.all(report.hostnames.slice(0, 1).map((host) => shown(host, report.ingressAddress, now))),
  ]);
  const root = report.ca
    ? [{ name: "root", source: "root" as const, ...remaining("root", lifeOf(report.ca), now) }]
    : [];
  return [...found.flat(), ...root].sort((a, b) => (a.daysLeft ?? -Infinity) - (b.daysLeft ?? -Infinity));
}

async function ofCertManager(kube: KubeReader, now: Date): Promise<CertificateStatus[]> {
  const path = "/apis/cert-manager.io/v1/certificates";
  const { items } = await kube.get<{ items: CertificateObject[] }>(path).catch((error: unknown) => {
    // A stack without cert-manager has no such kind.
    if (error instanceof KubeError && error.status === 404) return { items: [] };
    throw error;
  });
  return items.map(({ metadata, status }) => {
    const base = { name: `${metadata.namespace}/${metadata.name}`, source: "cert-manager" as const };
    if (!status?.notAfter || !status.notBefore) {
      const message = status?.conditions?.find(({ type }) => type === "Ready")?.message ?? "cert-manager is silent";
      return { ...base, warning: `not issued: ${message}` };
    }
    return {
      ...base,
      ...remaining("cert-manager", { from: new Date(status.notBefore), to: new Date(status.notAfter) }, now),
    };
  });
}

/** Secrets with a certificate that no Certificate object answers for. Their keys are not looked at. */
async function inSecrets(kube: KubeReader, now: Date): Promise<CertificateStatus[]> {
  const { items } = await kube.get<{ items: SecretObject[] }>(
    "/api/v1/secrets?fieldSelector=type%3Dkubernetes.io%2Ftls",
  );
  return items
    .filter(({ metadata, data }) => !metadata.annotations?.["cert-manager.io/certificate-name"] && data?.["tls.crt"])
    .flatMap(({ metadata, data }) => {
      // Sealed Secrets' key pairs carry a label and no owner.
      const sealing = metadata.labels?.["sealedsecrets.bitnami.com/sealed-secrets-key"] !== undefined;
      const owned = sealing || metadata.ownerReferences !== undefined || metadata.namespace === "kube-system";
      const source = owned ? ("operator" as const) : ("graph" as const);
      const base = { name: `${metadata.namespace}/${metadata.name}`, source };
      try {
        const pem = Buffer.from(data!["tls.crt"]!, "base64").toString();
        return [{ ...base, ...remaining(source, lifeOf(pem), now) }];
      } catch {
        return [{ ...base, warning: "holds no certificate that can be read" }];
      }
    });
}

/** What the edge shows. It is not checked here, so that an expired one is seen too; the probe of the URL does that. */
function shown(host: string, address: string, now: Date): Promise<CertificateStatus> {
  const base = { name: host, source: "edge" as const };
  return new Promise((resolve) => {
    const socket = tls.connect({
      host: address,
      port: 443,
      servername: host,
      rejectUnauthorized: false,
      timeout: 3000,
    });
    const fail = (reason: string) => {
      socket.destroy();
      resolve({ ...base, warning: `not shown: ${reason}` });
    };
    socket.on("secureConnect", () => {
      const { valid_from, valid_to } = socket.getPeerCertificate();
      socket.destroy();
      resolve({ ...base, ...remaining("edge", { from: new Date(valid_from), to: new Date(valid_to) }, now) });
    });
    socket.on("timeout", () => fail(`no answer from ${address}`));
    socket.on("error", (error: Error) => fail(error.message));
  });
}

/** The table of certificates below that of components. */
export function certificateTable(certificates: CertificateStatus[]): string {
  const rows = certificates.map(({ name, source, notAfter, daysLeft, warning }) => [
    name,
    source,
    daysLeft === undefined ? "" : String(daysLeft),
    notAfter?.slice(0, 10) ?? "",
    warning ? `WARNING: ${warning}` : "good",
  ]);
  return table(["certificate", "by", "days left", "ends", "state"], rows);
}
