import * as path from "node:path";
import { fileURLToPath } from "node:url";

/** A place in a source file. */
export interface Source {
  /** Path from the checkout's root, with slashes. */
  file: string;
  line: number;
}

/** A frame of the stack in which a resource was made, as the SDK sends it: of the source, where the loader keeps maps. */
export interface Frame {
  uri: string;
  line: number;
}

const root = path.resolve(__dirname, "..", "..");

/** The kit that makes every pod: who called it is the place that a reader looks for. */
const kit = "components/workload/";

/** The place of the checkout's own code that made a resource; undefined where the SDK sent none. */
export function sourceOf(frames: readonly Frame[]): Source | undefined {
  const own = frames.flatMap(placeOf);
  return own.find(({ file }) => !file.startsWith(kit)) ?? own[0];
}

function placeOf({ uri, line }: Frame): Source[] {
  if (!uri.startsWith("file:")) return [];
  const inside = path.relative(root, fileURLToPath(uri));
  if (inside.startsWith("..") || inside.includes("node_modules")) return [];
  return [{ file: inside.split(path.sep).join("/"), line }];
}
