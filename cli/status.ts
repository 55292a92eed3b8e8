import * as fs from "node:fs";
import { openArtifacts } from "../artifacts";
import { givenPlugins } from "../artifacts/given";
import type { Artifact, Parts } from "../artifacts/types";
import type { ComponentReport, StackReport } from "../stacks/report";
import { CertificateStatus, certificateTable, readCertificates } from "./certificates";
import { KubeReader, openKube } from "./kube";
import { caFile, kubeconfigFile } from "./paths";
import { probe } from "./probes";
import { chosenStack, savedReport } from "./stack";
import { table } from "./ui";

/** One line of `status`. */
export interface ComponentStatus {
  name: string;
  ready: boolean;
  /** `official` only when every artefact under the component is the upstream's own. */
  parts: "official" | "stand-in";
  proof: string;
  url?: string;
  /** What it runs on, each with where it came from. */
  artifacts: { name: string; version: string; parts: Parts }[];
}

/** What `status --json` prints. */
export interface Status {
  stack: string;
  target: string;
  components: ComponentStatus[];
  /** Every certificate of the stack; empty when the cluster could not be asked, which its components tell. */
  certificates: CertificateStatus[];
  endpoints: Record<string, string>;
  /** Official provider plugins that the user gives to this run's engine, unchecked; those of the cache are in `npm run artifacts`. */
  plugins: { name: string; version: string; parts: Parts; source: string }[];
  /** Path of the CA certificate that the endpoints' certificates are signed by. */
  ca: string;
}

/** Probes every component of a stack side by side. */
export async function readStatus(report: StackReport): Promise<Status> {
  const known = new Map(
    openArtifacts()
      .list()
      .map((artifact) => [artifact.name, artifact]),
  );
  let kube: KubeReader | undefined;
  const cluster = () => (kube ??= openKube(kubeconfigFile(report.stack)));
  const ca = fs.readFileSync(caFile(report.stack), "utf8");
  const [components, certificates] = await Promise.all([
    Promise.all(report.components.map((component) => check(component, known, cluster, ca))),
    // Deferred, since opening the cluster may fail at once.
    Promise.resolve()
      .then(() => readCertificates(report, cluster()))
      .catch(() => []),
  ]);
  return {
    stack: report.stack,
    target: report.target,
    components,
    certificates,
    endpoints: report.endpoints,
    plugins: givenPlugins().map(({ name, version, parts, source }) => ({ name, version, parts, source })),
    ca: caFile(report.stack),
  };
}

async function check(
  component: ComponentReport,
  known: Map<string, Artifact>,
  kube: () => KubeReader,
  ca: string,
): Promise<ComponentStatus> {
  const finding = await probe(component.probe, kube, ca);
  const artifacts = component.artifacts.flatMap((name) => {
    const artifact = known.get(name);
    return artifact ? [{ name, version: artifact.version, parts: artifact.parts }] : [];
  });
  const official = artifacts.every((artifact) => artifact.parts === "official");
  return {
    name: component.name,
    ready: finding.ready,
    parts: official ? "official" : "stand-in",
    proof: finding.proof,
    ...(component.url ? { url: component.url } : {}),
    artifacts,
  };
}

/** The table that `up` ends with and `status` prints. */
export function statusTable(status: Status): string {
  const rows = status.components.map((component) => {
    const foreign = component.artifacts.filter((artifact) => artifact.parts !== "official");
    const parts = foreign.length ? foreign.map((a) => `${a.name} ${a.version} (${a.parts})`).join(", ") : "official";
    return [component.name, component.ready ? "ready" : "NOT READY", component.proof, component.url ?? "", parts];
  });
  const components = table(["component", "state", "proof", "URL", "parts"], rows);
  const certificates = status.certificates.length > 0 ? [certificateTable(status.certificates)] : [];
  const plugins = status.plugins.map(({ name, version, parts, source }) => `${name} ${version}: ${parts}, ${source}`);
  return [components, ...certificates, ...(plugins.length > 0 ? [plugins.join("\n")] : [])].join("\n\n");
}

/** `npm run status`: exit code 0 when everything is ready, else 1. */
export async function status(options: { stack?: string; json?: boolean }): Promise<number> {
  const current = await readStatus(savedReport(chosenStack(options.stack)));
  process.stdout.write(`${options.json ? JSON.stringify(current, null, 2) : statusTable(current)}\n`);
  return current.components.every((component) => component.ready) ? 0 : 1;
}
