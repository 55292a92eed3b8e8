import { containersOf, podsOf } from "./pods";
import { groupOf, Resource } from "./resource";
import { isBuiltInNamespaced } from "./kinds";
import { isUnknown, list } from "./unknown";

/** Kinds that are there for others to use. */
export type Usable = "Secret" | "ConfigMap" | "ServiceAccount" | "PersistentVolumeClaim" | "Role" | "ClusterRole";
export const usable: readonly Usable[] = [
  "Secret",
  "ConfigMap",
  "ServiceAccount",
  "PersistentVolumeClaim",
  "Role",
  "ClusterRole",
];

/** Fields by which built-in kinds name others, and what they name. */
const fields: readonly [RegExp, Usable][] = [
  [
    /\.secret\.secretName$|\.(secretRef|secretKeyRef|imagePullSecrets)(\.\d+)?\.name$|\.tls\.\d+\.secretName$/,
    "Secret",
  ],
  [/\.sources\.\d+\.secret\.name$|^secrets\.\d+\.name$|\.certificateRefs\.\d+\.name$/, "Secret"],
  [/\.(configMap|configMapRef|configMapKeyRef)\.name$/, "ConfigMap"],
  [/\.serviceAccountName$|\.serviceAccount$/, "ServiceAccount"],
  [/\.persistentVolumeClaim\.claimName$/, "PersistentVolumeClaim"],
  // A role that names a Secret or a ConfigMap is for a program that reads it through the API server.
  [/^rules\.\d+\.resourceNames\.\d+$/, "Secret"],
  [/^rules\.\d+\.resourceNames\.\d+$/, "ConfigMap"],
];

/** All strings below a value with their paths. */
function* strings(value: unknown, path = ""): Generator<[string, string]> {
  if (typeof value === "string") yield [path, value];
  if (isUnknown(value) || typeof value !== "object" || value === null) return;
  for (const [key, child] of Object.entries(value)) yield* strings(child, path === "" ? key : `${path}.${key}`);
}

/** Key of a use: cluster-scoped kinds have no namespace. */
const key = (kind: string, namespace: string | undefined, name: string): string => `${kind}/${namespace ?? ""}/${name}`;

/** What the objects of a stack name. */
export class References {
  private readonly used = new Set<string>();
  /** Every word of custom resources, of programs' command lines and variables, and of their configuration, by namespace. */
  private readonly words = new Map<string, Set<string>>();

  constructor(resources: readonly Resource[]) {
    for (const resource of resources) {
      const { object, props } = resource;
      if (!object) continue;
      const { namespace } = object;
      this.binding(props, namespace);
      const custom = !isBuiltInNamespaced(groupOf(object), object.kind) && groupOf(object) !== "";
      const { metadata: _own, ...content } = props;
      for (const [path, text] of strings(content)) {
        for (const [field, kind] of fields) if (field.test(path)) this.used.add(key(kind, namespace, text));
        if (custom || object.kind === "ConfigMap") this.say(namespace, text);
      }
      for (const { spec } of podsOf(resource).flatMap(containersOf)) {
        const values = list(spec.env).map((variable) => variable?.value);
        for (const text of [...list(spec.command), ...list(spec.args), ...values]) {
          if (typeof text === "string") this.say(namespace, text);
        }
      }
    }
  }

  private binding({ roleRef, subjects }: Record<string, any>, namespace: string | undefined): void {
    if (typeof roleRef !== "object" || roleRef === null) return;
    this.used.add(key(roleRef.kind, roleRef.kind === "Role" ? namespace : undefined, roleRef.name));
    for (const subject of list<any>(subjects)) {
      if (subject?.kind === "ServiceAccount") {
        this.used.add(key("ServiceAccount", subject.namespace ?? namespace, subject.name));
      }
    }
  }

  private say(namespace: string | undefined, text: string): void {
    const at = namespace ?? "";
    if (!this.words.has(at)) this.words.set(at, new Set());
    for (const word of text.split(/[\s=,:/"']+/)) this.words.get(at)!.add(word);
  }

  /** Whether something names the object: by a field for its kind, or as a word where programs are told what to use. */
  uses({ kind, namespace, name }: { kind: string; namespace?: string; name: string }): boolean {
    if (this.used.has(key(kind, namespace, name))) return true;
    if (!["Secret", "ConfigMap", "ServiceAccount"].includes(kind)) return false;
    return [namespace ?? "", ""].some((at) => this.words.get(at)?.has(name) === true);
  }
}
