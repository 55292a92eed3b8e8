/** Marks that the SDK puts on the wire around special values; from @pulumi/pulumi's runtime/rpc. */
const signature = "4dabf18193072939515e22adb298388d";
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";
const outputSignature = "d0e6a833031e9bbcd3f4e8bde6ca49a4";

/** A value of the wire without its wrappers, and where secrets were. */
export interface Unwrapped {
  value: any;
  /** Paths of the secret values, such as `spec.password` or `data.list[0]`; empty string: the whole value. */
  secrets: string[];
}

/** Takes the wrappers off a value that a program sent, at any depth. */
export function unwrap(wire: unknown, path = ""): Unwrapped {
  if (typeof wire !== "object" || wire === null) return { value: wire, secrets: [] };
  const mark = (wire as Record<string, unknown>)[signature];
  if (mark === secretSignature) return { ...unwrap((wire as { value: unknown }).value, path), secrets: [path] };
  if (mark === outputSignature) {
    const inner = unwrap((wire as { value?: unknown }).value, path);
    return (wire as { secret?: boolean }).secret === true ? { ...inner, secrets: [path] } : inner;
  }
  const join = (key: string) => (path === "" ? key : Array.isArray(wire) ? `${path}[${key}]` : `${path}.${key}`);
  const children = Object.entries(wire).map(([key, child]) => ({ key, ...unwrap(child, join(key)) }));
  const value: any = Array.isArray(wire) ? [] : {};
  for (const child of children) value[child.key] = child.value;
  return { value, secrets: children.flatMap((child) => child.secrets) };
}

/** All strings below a value with their paths. */
export function strings(value: unknown, path = ""): { path: string; text: string }[] {
  if (typeof value === "string") return [{ path, text: value }];
  if (typeof value !== "object" || value === null) return [];
  const join = (key: string) => (path === "" ? key : Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`);
  return Object.entries(value).flatMap(([key, child]) => strings(child, join(key)));
}

/** Whether a path is one of these or lies below one. */
export const isBelow = (path: string, roots: readonly string[]): boolean =>
  roots.some((root) => root === "" || path === root || path.startsWith(`${root}.`) || path.startsWith(`${root}[`));
