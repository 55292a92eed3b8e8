import * as assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as path from "node:path";
import { openArtifacts } from "../../../artifacts";
import { removeTree } from "../../../artifacts/cache";
import { exclusively } from "../../../artifacts/exclusive";
import { bench, fileEntry, local, type Bench } from "./support";

const root = path.resolve(__dirname, "..", "..", "..");

/** A process of its own that makes the entry `slow`: half of the result at once, the rest when `go` appears. */
function builder(here: Bench, name: string) {
  const script = `
    const fs = require("node:fs"), path = require("node:path");
    const { Cache } = require("./artifacts/cache");
    const { Lock } = require("./artifacts/lockfile");
    const { Reachability } = require("./artifacts/reach");
    const { Resolver } = require("./artifacts/resolver");
    const folder = ${JSON.stringify(here.folder)};
    const cache = new Cache(path.join(folder, "cache"));
    new Resolver({
      cache, lock: new Lock(path.join(folder, "lock.json")), reach: new Reachability(cache.folder),
      ui: { say: (line) => console.log(line) }, logs: path.join(folder, "logs"),
      entries: [{ name: "slow", version: "v1", kind: "file", about: "", file: "result", sources: [${JSON.stringify(local())}] }],
      run: async (source, context) => {
        fs.appendFileSync(path.join(folder, "builds"), "${name}\\n");
        fs.writeFileSync(path.join(context.out, "result"), "half");
        console.log("halfway");
        while (!fs.existsSync(path.join(folder, "go"))) await new Promise((resolve) => setTimeout(resolve, 20));
        fs.appendFileSync(path.join(context.out, "result"), " whole");
        return { source: "test" };
      },
    }).all(["slow"]).then(([made]) => console.log("made " + made.path), (error) => { console.log(error); process.exit(1); });`;
  const child = spawn(process.execPath, ["-r", "ts-node/register/transpile-only", "-e", script], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const said = async (text: string): Promise<void> => {
    while (!output.includes(text)) {
      assert.equal(child.exitCode, null, `${name} ended before it said "${text}": ${output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  return { child, said, ended: once(child, "close"), output: () => output };
}

describe("the artefact cache", function () {
  this.timeout(60_000);
  let here: Bench;
  beforeEach(() => (here = bench()));
  afterEach(() => here.remove());

  it("has nothing of a build that was killed halfway, and the next run makes it", async () => {
    const first = builder(here, "first");
    await first.said("halfway");
    first.child.kill("SIGKILL");
    await first.ended;
    assert.ok(!fs.existsSync(here.cache.path("entries")), "a killed build left an entry");
    assert.equal(fs.readdirSync(here.cache.path("tmp")).length, 1);
    fs.writeFileSync(path.join(here.folder, "go"), "");
    const second = builder(here, "second");
    await second.ended;
    assert.match(second.output(), /made /);
    assert.deepEqual(fs.readdirSync(here.cache.path("tmp")), [], "what the killed build left was not swept");
    const [entry] = fs.readdirSync(here.cache.path("entries"));
    assert.equal(fs.readFileSync(here.cache.path("entries", entry!, "result"), "utf8"), "half whole");
  });

  it("lets two runs at once build the same thing only once", async () => {
    const first = builder(here, "first");
    await first.said("halfway");
    const second = builder(here, "second");
    await second.said("another run is making it");
    fs.writeFileSync(path.join(here.folder, "go"), "");
    await Promise.all([first.ended, second.ended]);
    assert.equal(fs.readFileSync(path.join(here.folder, "builds"), "utf8"), "first\n");
    assert.equal(/made (.*)/.exec(first.output())?.[1], /made (.*)/.exec(second.output())?.[1]);
  });

  it("frees the lock when the work under it fails", async () => {
    const file = path.join(here.folder, "a.lock");
    await assert.rejects(
      exclusively(
        file,
        () => undefined,
        () => Promise.reject(new Error("no")),
      ),
      /no/,
    );
    let waited = false;
    await exclusively(
      file,
      () => (waited = true),
      () => Promise.resolve(),
    );
    assert.equal(waited, false);
  });

  const write: Bench["resolver"] = (entries, more) =>
    here.resolver(entries, {
      run: (_source, context) => {
        fs.writeFileSync(path.join(context.out, "result"), "content");
        return Promise.resolve({ source: "test" });
      },
      ...more,
    });

  it("makes a thing again when its recipe changes, and only then", async () => {
    const one = (await write([fileEntry("tool", local("1"))]).all(["tool"]))[0]!;
    assert.equal((await write([fileEntry("tool", local("1"))]).all(["tool"]))[0]!.path, one.path);
    assert.notEqual((await write([fileEntry("tool", local("2"))]).all(["tool"]))[0]!.path, one.path);
  });

  it("notices a file that changed since it was kept", async () => {
    const tool = (await write([fileEntry("tool", local())]).all(["tool"]))[0]!;
    const entry = here.cache.find("tool", tool.key)!;
    assert.deepEqual(await here.cache.verify(entry), []);
    fs.appendFileSync(tool.path, "!");
    assert.deepEqual(await here.cache.verify(entry), ["result"]);
  });

  it("prunes what no checkout uses, and keeps the rest", async () => {
    const folderOf = (made: { path: string }): string => path.basename(path.dirname(made.path));
    const [kept, input, dropped] = await write([
      fileEntry("kept", local()),
      fileEntry("input", local()),
      fileEntry("dropped", local()),
    ]).all(["kept", "input", "dropped"]);
    here.cache.writeIndex({ checkout: here.folder, artifacts: { kept: kept! }, inputs: [folderOf(input!)] });
    here.cache.writeIndex({ checkout: "/nowhere/at/all", artifacts: { dropped: dropped! } });
    assert.deepEqual(here.cache.prune().names, [], "an entry that was just made may be another run's");
    const old = new Date(Date.now() - 2 * 3600_000);
    for (const made of [kept, input, dropped]) fs.utimesSync(path.dirname(made!.path), old, old);
    assert.deepEqual(here.cache.prune().names, [folderOf(dropped!)]);
    for (const made of [kept, input]) assert.ok(fs.existsSync(made!.path));
  });

  it("does not delete through what is still mounted below a work folder", function () {
    const folder = here.cache.scratch("mounted");
    const inner = path.join(folder, "dev");
    const outside = path.join(here.folder, "outside");
    for (const each of [inner, outside]) fs.mkdirSync(each);
    fs.writeFileSync(path.join(outside, "precious"), "");
    assert.equal(spawnSync("mount", ["--bind", outside, inner]).status, 0, "this test must run as root");
    removeTree(folder);
    assert.ok(fs.existsSync(path.join(outside, "precious")));
    assert.ok(!fs.existsSync(folder));
    assert.ok(!fs.readFileSync("/proc/self/mounts", "utf8").includes(inner));
  });

  it("is read without fetching anything, and names what is missing and the command that gets it", async () => {
    const tool = (await write([fileEntry("tool", local())]).all(["tool"]))[0]!;
    here.cache.writeIndex({ checkout: root, artifacts: { tool } });
    const opened = openArtifacts(here.cache);
    assert.equal(opened.file("tool").path, tool.path);
    assert.deepEqual(
      opened.list().map((one) => one.name),
      ["tool"],
    );
    assert.throws(() => opened.image("other"), /"other" is not in the cache .* Run: npm run artifacts -- fetch other/);
    assert.throws(() => opened.image("tool"), /not an image/);
    fs.rmSync(tool.path);
    assert.throws(() => opened.file("tool"), /npm run artifacts -- fetch tool/);
  });
});
