import { Resource } from "./resource";

const keys = ["create", "update", "delete", "read", "stdin"];

/** Texts that a resource runs on a machine or hands to its first boot, by property. */
export function textsOf(resource: Resource): [string, string][] {
  const names = resource.type.startsWith("command:")
    ? keys
    : resource.type === "hcloud:index/server:Server"
      ? ["userData"]
      : [];
  return names.flatMap((key): [string, string][] => {
    const text: unknown = resource.props[key];
    return typeof text === "string" ? [[key, text]] : [];
  });
}
