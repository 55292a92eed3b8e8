import type { ImageName, Source } from "../catalogue";
import type { Built, BuildContext } from "./context";

/** Runs a source. Each one's code is loaded only when it is needed: most runs find everything in the cache. */
export async function runSource(source: Source, context: BuildContext): Promise<Built> {
  switch (source.type) {
    case "download":
      return (await import("./download")).download(source, context);
    case "part-of":
      return (await import("./download")).partOf(source, context);
    case "pull":
      return (await import("./registry")).pull(context.entry.image as ImageName, context);
    case "go":
      return (await import("./go")).goBuild(source, context);
    case "module-file":
      return (await import("./go")).moduleFile(source, context);
    case "debian":
      return (await import("./debian")).debian(source, context);
    case "compose":
      return (await import("./compose")).compose(source, context);
    case "image-set":
      return (await import("./compose")).imageSet(source, context);
    case "workspace":
      return (await import("./packages")).workspace(source, context);
    case "npm":
      return (await import("./packages")).npm(source, context);
    case "maven":
      return (await import("./packages")).maven(source, context);
  }
}

/** What to ask whether a source's upstream can be reached; nothing for sources that need no upstream host. */
export function probeOf(source: Source, image: ImageName | undefined): { url: string; accept: number[] } | undefined {
  if (source.type === "download") return { url: source.url, accept: [] };
  if (source.type !== "pull" || image === undefined) return undefined;
  const host = image.name.slice(0, image.name.indexOf("/"));
  // A registry greets with 401 until it is asked with a token.
  return { url: `https://${host === "docker.io" ? "registry-1.docker.io" : host}/v2/`, accept: [401] };
}
