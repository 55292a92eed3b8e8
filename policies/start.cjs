"use strict";
// What the engine loads. It registers a ts-node that checks types first, and packs have no switch against that:
// several seconds in each preview for what `npm test` does once. So the hook for .ts makes way for one that only
// removes the types, and keeps the result under the hash of the source.
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { createHash } = require("node:crypto");

const cacheDir = process.env["GROUNDWORK_CACHE_DIR"] ?? path.join(os.homedir(), ".cache", "groundwork");
const folder = path.join(cacheDir, "transpiled");

require.extensions[".ts"] = (module, file) => {
  const source = fs.readFileSync(file, "utf8");
  const { version } = require("typescript/package.json");
  const key = createHash("sha256")
    .update(JSON.stringify([version, "ES2022", path.basename(file), source]))
    .digest("hex");
  module._compile(read(key) ?? write(key, transpile(source, file)), file);
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

/** Best effort: without a cache that can be written the pack only starts a second later. */
function write(key, code) {
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

require("./index.ts");
