import * as fs from "node:fs";
import * as path from "node:path";
import { parseAllDocuments } from "yaml";

/** A SealedSecret as `npm run seal` writes it. */
export interface SealedObject {
  apiVersion: "bitnami.com/v1alpha1";
  kind: "SealedSecret";
  metadata: { name: string; namespace: string; annotations?: Record<string, string>; [field: string]: unknown };
  spec: { encryptedData: Record<string, string>; template?: Record<string, unknown> };
}

/**
 * The SealedSecrets in a folder's .yaml files, sorted by file. A folder that does not exist has none.
 *
 * @param namespaces those that the controller serves
 * @throws with everything that is wrong, by file; values are never shown
 */
export function readSealed(folder: string, namespaces: string[]): SealedObject[] {
  if (!fs.existsSync(folder)) return [];
  const problems: string[] = [];
  const found = new Map<string, { object: SealedObject; file: string }>();
  for (const file of fs.readdirSync(folder).sort()) {
    if (!/\.ya?ml$/.test(file)) continue;
    const documents = parseAllDocuments(fs.readFileSync(path.join(folder, file), "utf8"));
    for (const document of documents) {
      // The parser's own message quotes the line, which may be a secret that was put here by mistake.
      const broken = document.errors[0]?.linePos?.[0];
      const value: unknown = broken ? undefined : document.toJS();
      if (value === null) continue;
      const wrong = broken ? `is not YAML (line ${broken.line})` : flaw(value, namespaces);
      if (wrong) {
        problems.push(`${file} ${wrong}`);
        continue;
      }
      const object = value as SealedObject;
      const key = `${object.metadata.namespace}/${object.metadata.name}`;
      const before = found.get(key)?.file;
      if (before) problems.push(`${file} has ${key}, which ${before} has already`);
      else found.set(key, { object, file });
    }
  }
  if (problems.length > 0) {
    throw new Error([`${folder} can't be used:`, ...problems.map((problem) => `  ${problem}`)].join("\n"));
  }
  return [...found.values()].map(({ object }) => object);
}

/** What is wrong with a document, for the reader of its file; nothing when it is a SealedSecret for a served namespace. */
function flaw(value: unknown, namespaces: string[]): string | undefined {
  const object = value as Partial<Omit<SealedObject, "kind" | "apiVersion">> & { apiVersion?: string; kind?: string };
  if (typeof value !== "object" || Array.isArray(value)) return "is no Kubernetes object";
  if (object.kind === "Secret") {
    return "has a Secret that is not sealed: take it out, change its values wherever they are used, and seal the new ones";
  }
  if (object.kind !== "SealedSecret" || object.apiVersion !== "bitnami.com/v1alpha1") {
    return `has an object of kind ${String(object.kind)}: only SealedSecrets of bitnami.com/v1alpha1 belong here`;
  }
  const { name, namespace } = object.metadata ?? {};
  if (!name || !namespace) return "has a SealedSecret without a name or without a namespace";
  if (!namespaces.includes(namespace)) {
    return `has ${namespace}/${name}: the controller serves ${namespaces.join(", ") || "no namespace"}`;
  }
  const sealed = Object.entries(object.spec?.encryptedData ?? {});
  if (sealed.length === 0) return `has ${namespace}/${name} without encryptedData`;
  const plain = sealed.find(([, text]) => typeof text !== "string" || !isSealed(text));
  if (plain) return `has ${namespace}/${name} with a value of ${plain[0]} that is not sealed`;
  const template = object.spec?.template;
  if (template?.["data"] !== undefined || template?.["stringData"] !== undefined) {
    return `has ${namespace}/${name} with plain values in its template`;
  }
  return undefined;
}

/** Sealed values are base64 of: the length of an RSA ciphertext in two bytes, that ciphertext, and an AES-GCM one. */
function isSealed(text: string): boolean {
  const bytes = Buffer.from(text, "base64");
  if (!/^[A-Za-z0-9+/]+=*$/.test(text) || bytes.length < 2) return false;
  const key = bytes.readUInt16BE(0);
  // Keys of 2048 to 8192 bits, and at least the 16 bytes that prove an empty value.
  return key >= 256 && key <= 1024 && bytes.length >= 2 + key + 16;
}
