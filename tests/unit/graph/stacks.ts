import * as fs from "node:fs";
import * as path from "node:path";
import { CaptureOptions } from "../../../policies/capture/capture";
import { Graph } from "../../../policies/capture/graph";
import { captureStack as capture, Manifests } from "../../../policies/capture/stacks";

export type { Manifests } from "../../../policies/capture/stacks";

/** Upstreams' manifests, each cut down to one object of each kind; CloudNativePG's for those that have none of their own. */
const cutDown = (name: string): string => {
  const own = path.join(__dirname, "..", "fixtures", `${name}.yaml`);
  return fs.existsSync(own) ? own : path.join(__dirname, "..", "fixtures", "cnpg.yaml");
};

/** The graph of a stack of this repository, with cut-down manifests unless others are given. */
export const captureStack = (
  stack: string,
  options: Partial<CaptureOptions> = {},
  manifests: Manifests = cutDown,
): Promise<Graph> => capture(stack, options, manifests);
