import { at, KubeApi, KubeApiError, KubeObject } from "./kube-api";

/** What a controller would write for a `pulumi.com/waitFor` annotation to hold, as a status to merge. */
export function statusFor(annotation: string, object: KubeObject): Record<string, unknown> | undefined {
  let wanted: unknown;
  try {
    wanted = JSON.parse(annotation);
  } catch {
    wanted = annotation;
  }
  const status: Record<string, unknown> = {};
  for (const expression of (Array.isArray(wanted) ? wanted : [wanted]) as string[]) {
    const condition = /^condition=([^=]+)(?:=(.+))?$/.exec(expression);
    const field = /^jsonpath=\{\.status\.([\w.]+)\}(?:=(.+))?$/.exec(expression);
    if (condition) addCondition(status, condition[1]!, condition[2] ?? "True", object);
    else if (field) setField(status, field[1]!.split("."), field[2] ?? "simulated");
  }
  return Object.keys(status).length > 0 ? status : undefined;
}

function addCondition(status: Record<string, unknown>, type: string, value: string, object: KubeObject): void {
  const others = (status["conditions"] ?? at(object, "status", "conditions") ?? []) as { type: string }[];
  const mine = {
    type,
    status: value,
    reason: "Simulated",
    message: "set by the rehearsal",
    lastTransitionTime: new Date().toISOString(),
  };
  status["conditions"] = [...others.filter((other) => other.type !== type), mine];
}

function setField(status: Record<string, unknown>, path: string[], value: string): void {
  let at = status;
  for (const step of path.slice(0, -1)) at = (at[step] ??= {}) as Record<string, unknown>;
  at[path[path.length - 1]!] = /^\d+$/.test(value) ? Number(value) : value;
}

/** Whether the object's status has all of `status` already. Times are not compared. */
function holds(have: unknown, want: unknown): boolean {
  if (Array.isArray(want)) {
    return Array.isArray(have) && want.every((item) => have.some((other) => holds(other, item)));
  }
  if (typeof want === "object" && want !== null) {
    return Object.entries(want).every(
      ([key, value]) =>
        key === "lastTransitionTime" || holds((have as Record<string, unknown> | undefined)?.[key], value),
    );
  }
  return have === want;
}

/** What is read of a CustomResourceDefinition. */
interface DefinitionSpec {
  group: string;
  names: { plural: string };
  scope: "Namespaced" | "Cluster";
  versions: { name: string; storage: boolean; subresources?: { status?: object } }[];
}

/** Brings every custom resource that somebody waits for to the state waited for. */
export async function fulfil(api: KubeApi): Promise<void> {
  for (const crd of await api.list("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")) {
    const { group, names, scope, versions } = crd["spec"] as DefinitionSpec;
    const version = versions.find((candidate) => candidate.storage);
    if (!version) continue;
    const base = `/apis/${group}/${version.name}`;
    const objects = await api.list(`${base}/${names.plural}`).catch((error: Error) => {
      // A definition that is not established yet has no list, and one that just was none yet.
      if (error instanceof KubeApiError && [404, 429, 503].includes(error.status)) return [];
      throw error;
    });
    for (const object of objects) {
      const annotation = object.metadata.annotations?.["pulumi.com/waitFor"];
      const status = annotation ? statusFor(annotation, object) : undefined;
      if (!status || holds(object["status"], status)) continue;
      const place = scope === "Namespaced" ? `namespaces/${object.metadata.namespace}/` : "";
      const path = `${base}/${place}${names.plural}/${object.metadata.name}`;
      await api.patch(version.subresources?.status ? `${path}/status` : path, { status });
    }
  }
}
