// Makes dist/server.cjs: the whole API in one file. The same sources and lock give the same bytes.
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const folder = path.dirname(fileURLToPath(import.meta.url));
const { version } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));

await build({
  absWorkingDir: folder,
  entryPoints: ["src/main.ts"],
  outfile: path.resolve(process.argv[2] ?? path.join(folder, "dist", "server.cjs")),
  bundle: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  minify: true,
  // Names of functions and classes are kept: they stand in stack traces and log lines.
  keepNames: true,
  legalComments: "none",
  // The driver's optional native binding; it is asked for only when NODE_PG_FORCE_NATIVE is set.
  external: ["pg-native"],
  define: { __GROUNDWORK_API_VERSION__: JSON.stringify(version) },
  logLevel: "warning",
});
