import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { Graph } from "./graph";

/** Where the golden graphs are. */
export const goldenFolder = path.join(__dirname, "golden");

/**
 * Compares a graph with `golden/<stack>.json`. Where they differ the file is written anew and the test fails, so that
 * `git diff` shows what a change does to the graph, and committing the file is the approval.
 */
export function assertGolden(graph: Graph, stack: string, folder = goldenFolder): void {
  const file = path.join(folder, `${stack}.json`);
  const actual = `${JSON.stringify(graph.toGolden(), undefined, 1)}\n`;
  const expected = fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "";
  if (actual === expected) return;
  fs.writeFileSync(file, actual);
  const lines = (text: string) => text.split("\n");
  const gone = lines(expected).filter((line) => line.includes('"urn"') && !actual.includes(line));
  const added = lines(actual).filter((line) => line.includes('"urn"') && !expected.includes(line));
  assert.fail(
    `the graph of ${stack} is not the one in ${path.relative(process.cwd(), file)}: ${added.length} resources are new, ` +
      `${gone.length} are gone, and edges may differ. The file has been rewritten: review it with git diff, and commit it.`,
  );
}
