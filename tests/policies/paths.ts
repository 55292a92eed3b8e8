/** Sets the field at a path with dots; `undefined` removes it. Missing objects on the way are made. */
export function set(target: Record<string, any>, path: string, value: unknown): void {
  const keys = split(target, path);
  const last = keys.pop()!;
  let current: any = target;
  for (const key of keys) current = current[key] ??= {};
  if (value === undefined) delete current[last];
  else current[last] = value;
}

/** Keys may hold dots themselves (annotations, file names): the longest one that exists is taken. */
function split(target: any, path: string): string[] {
  if (!path.includes(".")) return [path];
  const parts = path.split(".");
  for (let length = parts.length; length > 0; length--) {
    const key = parts.slice(0, length).join(".");
    const exists = typeof target === "object" && target !== null && key in target;
    if (!exists) continue;
    const rest = parts.slice(length).join(".");
    return rest === "" ? [key] : [key, ...split(target[key], rest)];
  }
  return parts;
}

/** The paths of every field below a value, of objects and lists too. */
export function paths(value: unknown, prefix = ""): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => {
    const path = prefix === "" ? key : `${prefix}.${key}`;
    return [path, ...paths(child, path)];
  });
}
