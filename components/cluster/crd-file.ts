import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { parseAllDocuments } from "yaml";
import { cacheDir, writeAtomically } from "../../cli/paths";

/** A file of the artefact cache. */
export interface CachedFile {
  path: string;
  sha256: string;
}

/** How the file is made; a change here makes it anew. */
const recipe = "1";

/**
 * Descriptions are most of a definition's size and nothing reads them here; the API server, and every client
 * that loads its OpenAPI document, is the faster for their absence.
 */
function withoutDescriptions(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDescriptions);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      // A property that is itself named `description` has a schema for a value, not a text.
      .filter(([key, inner]) => !(key === "description" && typeof inner === "string"))
      .map(([key, inner]) => [key, withoutDescriptions(inner)]),
  );
}

/** The CustomResourceDefinitions among a manifest's documents, as a manifest without descriptions. */
export function definitionsOf(manifest: string): string {
  const definitions = parseAllDocuments(manifest)
    .map((document) => document.toJS() as { kind?: string } | null)
    .filter((object) => object?.kind === "CustomResourceDefinition");
  // JSON is YAML, and written ten times as fast.
  return definitions.map((object) => `---\n${JSON.stringify(withoutDescriptions(object))}\n`).join("");
}

/**
 * The CustomResourceDefinitions of a manifest as a file of their own in the cache, made once a digest. Throws when the
 * manifest has none.
 */
export function crdFile(manifest: CachedFile): CachedFile {
  const file = path.join(cacheDir(), "crds", `${manifest.sha256.slice(0, 32)}-${recipe}.yaml`);
  if (!fs.existsSync(file)) {
    const text = definitionsOf(fs.readFileSync(manifest.path, "utf8"));
    if (!text) throw new Error(`${manifest.path} has no CustomResourceDefinition`);
    writeAtomically(file, text);
  }
  return { path: file, sha256: createHash("sha256").update(fs.readFileSync(file)).digest("hex") };
}
