import { openArtifacts } from "../../artifacts";
import { catalogue } from "../../artifacts/catalogue";
import { captureStack } from "../capture/stacks";
import { exemptions } from "../exemption-list";
import { rules } from "../rules";
import { Judgement, judge } from "./judge";
import { objectsOf, RenderedObject } from "./objects";
import { reasons } from "./reasons";
import { Scan, scan, ScannerTools } from "./scanners";

/** The artefacts that a scan needs: the scanners' programs, and upstreams' manifests. */
export const scanArtifacts = [
  "kube-score",
  "trivy-config",
  ...catalogue.filter(({ kind }) => kind === "manifest").map(({ name }) => name),
];

/** Where the fetched scanners are. */
export function scannerTools(): ScannerTools {
  const artifacts = openArtifacts();
  return { kubeScore: artifacts.file("kube-score").path, trivy: artifacts.file("trivy-config").path };
}

/**
 * All Kubernetes objects of a stack, with upstreams' whole manifests: the program is run against mocks, so neither an engine nor
 * a cluster is needed, and no secret in an object is a real one.
 */
export async function stackObjects(stack: string): Promise<RenderedObject[]> {
  const artifacts = openArtifacts();
  const graph = await captureStack(stack, {}, (name) => artifacts.manifest(name).path);
  return objectsOf(graph.nodes);
}

/** Shows objects to the scanners, and holds what they say against the project's decisions. */
export async function witness(objects: readonly RenderedObject[]): Promise<Judgement & Pick<Scan, "passed">> {
  const { findings, passed } = await scan(objects, scannerTools());
  return { ...judge(findings, objects, { rules, exemptions, reasons }), passed };
}
