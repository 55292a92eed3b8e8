import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { Cache, type IndexedArtifact } from "../../../artifacts/cache";
import { entryOf } from "../../../artifacts/catalogue";
import { GIVEN_PLUGINS, givenPlugins, measured } from "../../../artifacts/given";
import { layOutHome } from "../../../artifacts/home";

describe("official plugins that the user gives", () => {
  let folder: string;
  beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-given-"))));
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

  const { version } = entryOf("plugin-hcloud");
  const give = (name: string, of: string, content = "#!/bin/sh\n", mode = 0o755): string => {
    const file = path.join(folder, `resource-${name}-${of}`, `pulumi-resource-${name}`);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, content, { mode });
    return file;
  };

  it("are none without the variable, or with an empty one", () => {
    const before = process.env[GIVEN_PLUGINS];
    try {
      delete process.env[GIVEN_PLUGINS];
      assert.deepEqual(givenPlugins(), []);
      process.env[GIVEN_PLUGINS] = folder;
      assert.throws(() => givenPlugins(), /has none of the plugins/);
      assert.deepEqual(givenPlugins(""), []);
    } finally {
      if (before === undefined) delete process.env[GIVEN_PLUGINS];
      else process.env[GIVEN_PLUGINS] = before;
    }
  });

  it("are official by the user's word, whatever else the folder holds", () => {
    const file = give("hcloud", version);
    give("hcloud", "v0.0.1");
    give("aws", "v7.0.0");
    const [plugin, ...more] = givenPlugins(folder);
    assert.deepEqual(more, []);
    assert.deepEqual(plugin, {
      ...{ name: "plugin-hcloud", version, parts: "official", path: file },
      source: `given in ${folder}, not checked against the lock`,
    });
    assert.equal(measured(plugin).size, 10);
  });

  const refuses = (expected: RegExp, at = folder) =>
    assert.throws(
      () => givenPlugins(at),
      (error: Error & { userError?: boolean }) => {
        assert.equal(error.userError, true);
        assert.match(error.message, expected);
        assert.match(error.message, new RegExp(`^${GIVEN_PLUGINS} is .* unset the variable\\.$`));
        return true;
      },
    );

  it("are refused where the folder is not there, or has none that the project uses", () => {
    refuses(/there is no such folder/, path.join(folder, "elsewhere"));
    give("aws", "v7.0.0");
    refuses(new RegExp(`has none of the plugins that this project uses: .*resource-hcloud-${version}`));
  });

  it("are refused in another version, with the one that is asked for", () => {
    give("hcloud", "v1.0.0");
    refuses(
      new RegExp(`it has resource-hcloud-v1\\.0\\.0, where .*@pulumi/hcloud asks for resource-hcloud-${version}`),
    );
  });

  it("are refused without a program, and where it is a stand-in of this project's", () => {
    fs.mkdirSync(path.join(folder, `resource-hcloud-${version}`));
    refuses(/pulumi-resource-hcloud in it is missing or can't be run/);
    give("hcloud", version, "x", 0o644);
    refuses(/missing or can't be run/);
    give("hcloud", version, "..groundwork.dev/standins/engine..");
    fs.chmodSync(path.join(folder, `resource-hcloud-${version}`, "pulumi-resource-hcloud"), 0o755);
    refuses(/is a stand-in of this project's/);
  });

  it("get an engine's home of their own, and leave the shared one alone", async () => {
    const cache = new Cache(path.join(folder, "cache"));
    const kept = (name: string, file: string): IndexedArtifact => {
      const at = path.join(folder, "entries", name, file);
      fs.mkdirSync(path.dirname(at), { recursive: true });
      fs.writeFileSync(at, `the cache's ${name}`);
      const more = { sha256: "", size: 1, source: "", key: name };
      return { name, version, parts: "stand-in", path: at, ...more };
    };
    const cli = kept("pulumi", "pulumi");
    const ours = kept("plugin-hcloud", "pulumi-resource-hcloud");
    const shared = await layOutHome(cache, [cli, ours]);
    const file = give("hcloud", version, "#!/bin/sh\n# theirs\n", 0o755);
    const own = await layOutHome(cache, [cli, ...givenPlugins(folder)]);

    const plugin = (home: string) => path.join(home, "plugins", `resource-hcloud-${version}`, "pulumi-resource-hcloud");
    assert.notEqual(own, shared);
    assert.equal(fs.readFileSync(plugin(shared), "utf8"), "the cache's plugin-hcloud");
    assert.match(fs.readFileSync(plugin(own), "utf8"), /theirs/);
    assert.equal(fs.readFileSync(path.join(own, "bin", "pulumi"), "utf8"), "the cache's pulumi");
    assert.equal(fs.statSync(file).nlink, 1, "the user's file is linked by name only");
    assert.equal(await layOutHome(cache, [cli, ...givenPlugins(folder)]), own);
  });
});
