"use strict";
// Makes require() load .ts files: types are removed, and the result is kept under the hash of the source, so that
// a start neither loads the compiler nor compiles. Types are checked by `npm run typecheck`.
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const cacheDir = process.env.GROUNDWORK_CACHE_DIR ?? path.join(os.homedir(), ".cache", "groundwork");
const folder = path.join(cacheDir, "transpiled");
let version;

require.extensions[".ts"] = (module, file) => {
  const source = fs.readFileSync(file, "utf8");
  version ??= require("typescript/package.json").version;
  const key = createHash("sha256")
    .update(JSON.stringify([version, "ES2022", path.basename(file), source]))
    .digest("hex");
  module._compile(read(key) ?? keep(key, transpile(source, file)), file);
};

function transpile(source, file) {
  const ts = require("typescript");
  const compilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.CommonJS,
    esModuleInterop: true,
    inlineSourceMap: true,
    inlineSources: true,
  };
  return ts.transpileModule(source, { fileName: file, compilerOptions }).outputText;
}

function read(key) {
  try {
    return fs.readFileSync(path.join(folder, key), "utf8");
  } catch {
    return undefined;
  }
}

/** Best effort: without a cache that can be written the program only starts more slowly. */
function keep(key, code) {
  const temporary = path.join(folder, `${key}.${process.pid}.tmp`);
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    fs.writeFileSync(temporary, code, { mode: 0o600 });
    fs.renameSync(temporary, path.join(folder, key));
  } catch {
    fs.rmSync(temporary, { force: true });
  }
  return code;
}

process.setSourceMapsEnabled(true);
