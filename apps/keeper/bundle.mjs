// Makes dist/keeper.cjs: the whole keeper in one file. The same sources and lock give the same bytes.
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const folder = path.dirname(fileURLToPath(import.meta.url));
const { version } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));

await build({
  absWorkingDir: folder,
  entryPoints: ["src/main.ts"],
  outfile: path.resolve(process.argv[2] ?? path.join(folder, "dist", "keeper.cjs")),
  bundle: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  minify: true,
  keepNames: true,
  legalComments: "none",
  define: { __GROUNDWORK_KEEPER_VERSION__: JSON.stringify(version) },
  logLevel: "warning",
});
