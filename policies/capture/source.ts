import { findSourceMap } from "node:module";
import * as path from "node:path";
import { fileURLToPath } from "node:url";

/** A place in a source file. */
export interface Source {
  /** Path from the checkout's root, with slashes. */
  file: string;
  line: number;
}

/** A frame of the stack in which a resource was made, as the SDK sends it: of the JavaScript that runs. */
export interface Frame {
  uri: string;
  line: number;
  column: number;
}

const root = path.resolve(__dirname, "..", "..");

/** The kit that makes every pod: who called it is the place that a reader looks for. */
const kit = "components/workload/";

/** The place of the checkout's own code that made a resource; undefined where the SDK sent none. */
export function sourceOf(frames: readonly Frame[]): Source | undefined {
  const own = frames.flatMap(placeOf);
  return own.find(({ file }) => !file.startsWith(kit)) ?? own[0];
}

function placeOf({ uri, line, column }: Frame): Source[] {
  if (!uri.startsWith("file:")) return [];
  const file = fileURLToPath(uri);
  const inside = path.relative(root, file);
  if (inside.startsWith("..") || inside.includes("node_modules")) return [];
  // A loader that removes types moves lines; it leaves a map behind.
  const entry = findSourceMap(file)?.findEntry(line - 1, column - 1);
  const original = entry && "originalLine" in entry ? entry.originalLine + 1 : line;
  return [{ file: inside.split(path.sep).join("/"), line: original }];
}
