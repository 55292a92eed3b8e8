import * as fs from "node:fs";
import * as path from "node:path";
import { stringify } from "yaml";
import { onlyScales } from "../rules/no-pod-patches";

/** A Kubernetes object of a stack, as the program asks for it. */
export interface RenderedObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; [field: string]: unknown };
  [field: string]: any;
}

/** What is known of a resource: its type and the inputs that the program gave it. */
export interface Resource {
  type: string;
  inputs: Record<string, any>;
}

/** `Deployment/app/api`, `ClusterRole/cnpg-manager`: how exemptions name an object. */
export const titleOf = ({ kind, metadata }: Pick<RenderedObject, "kind" | "metadata">): string =>
  [kind, metadata.namespace, metadata.name].filter(Boolean).join("/");

/** The Kubernetes objects among a stack's resources; what only changes an object that others made is one, too. */
export function objectsOf(resources: readonly Resource[]): RenderedObject[] {
  return (
    resources
      .filter(({ type, inputs }) => type.startsWith("kubernetes:") && inputs["kind"] && inputs["metadata"]?.name)
      // Another number of somebody else's pods: there is no pod in it to be judged.
      .filter(({ type, inputs }) => !(type.endsWith("Patch") && onlyScales(inputs)))
      .map(({ inputs }) => inputs as RenderedObject)
  );
}

/**
 * Writes each object to a file of its own, whose name says which it is: a finding names the file, and so the object.
 *
 * @returns the objects by file name
 */
export function writeObjects(objects: readonly RenderedObject[], folder: string): Map<string, RenderedObject> {
  const files = new Map<string, RenderedObject>();
  for (const object of objects) {
    const group = object.apiVersion.split("/")[0]!.replace(/^v1$/, "core");
    const title = `${titleOf(object).replaceAll("/", "_")}_${group}`.replaceAll(":", "-");
    // A patch of an object that the stack makes as well.
    const file = files.has(`${title}.yaml`) ? `${title}_${files.size}.yaml` : `${title}.yaml`;
    fs.writeFileSync(path.join(folder, file), stringify(object, { aliasDuplicateObjects: false }));
    files.set(file, object);
  }
  return files;
}
