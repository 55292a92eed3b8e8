import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { catalogue, entryOf, TOOLCHAIN } from "../../../artifacts/catalogue";
import { goVersionOf, readRecipe } from "../../../artifacts/go/recipe";
import { GO_VERSION, isAtLeast } from "../../../artifacts/go/toolchain";
import { keyOf, lockedRecipes } from "../../../artifacts/keys";
import { Lock, platform } from "../../../artifacts/lockfile";

const root = path.resolve(__dirname, "..", "..", "..");
const goSources = catalogue.flatMap((entry) =>
  entry.sources.flatMap((s) => (s.type === "go" ? [{ entry, source: s }] : [])),
);

describe("the catalogue of outside artefacts", () => {
  it("has every entry once, with a version, a purpose and a source", () => {
    const names = catalogue.map((entry) => entry.name);
    assert.deepEqual(names, [...new Set(names)]);
    for (const entry of catalogue) {
      assert.match(entry.name, /^[a-z0-9]+(-[a-z0-9]+)*$/);
      assert.ok(entry.version && entry.about && entry.sources.length > 0, entry.name);
      assert.doesNotMatch(entry.version, /latest|main|master/, `${entry.name} has a moving version`);
    }
  });

  it("tries official parts first, and has something to fall back on for each of them", () => {
    for (const { name, sources } of catalogue) {
      const ranks = sources.map((source) => ["official", "built", "stand-in"].indexOf(source.parts));
      assert.deepEqual(ranks, [...ranks].sort(), `${name}: a better source stands behind a worse one`);
      assert.ok(
        !["download", "pull"].includes(sources[sources.length - 1]!.type),
        `${name} has no way without upstream`,
      );
    }
  });

  it("downloads over TLS, with a checksum file, and with the entry's version in the URL", () => {
    for (const entry of catalogue) {
      for (const source of entry.sources) {
        if (source.type !== "download") continue;
        for (const url of [source.url, source.checksums ?? ""]) {
          assert.match(url, /^https:\/\/(github\.com|get\.pulumi\.com)\//, entry.name);
          assert.ok(decodeURIComponent(url).includes(entry.version.replace(/^v/, "")), `${entry.name}: ${url}`);
        }
      }
    }
  });

  it("names a registry, a repository and a fixed tag for each image", () => {
    for (const { name, kind, image, sources } of catalogue) {
      if (kind !== "image" || sources.some((source) => source.type === "image-set")) continue;
      assert.match(image?.name ?? "", /^[a-z0-9.]+\.(io|com)\/[a-z0-9-]+\/[a-z0-9-]+$/, name);
      assert.match(image?.tag ?? "", /^v?\d+\.\d+/, name);
    }
  });

  it("has for each Go build a module with its checksums and a recipe that keeps what the entry wants", () => {
    for (const { entry, source } of goSources) {
      const recipe = readRecipe(source.folder);
      const kept = recipe.builds.filter((b) => b.keep).map((b) => path.basename(b.output));
      assert.ok(kept.includes(source.output), `${entry.name}: ${source.output}`);
      for (const file of ["go.mod", "go.sum"]) {
        assert.ok(fs.existsSync(path.join(root, source.folder, file)), `${source.folder}/${file}`);
      }
      assert.ok(
        isAtLeast(GO_VERSION, recipe.go ?? goVersionOf(source.folder)),
        `${source.folder} wants a newer Go than GO_VERSION`,
      );
    }
  });

  it("builds from the module version that the entry names", () => {
    for (const [name, module] of [
      ["pulumi", "github.com/pulumi/pulumi/pkg/v3"],
      ["traefik", "github.com/traefik/traefik/v3"],
      ["cloudnative-pg", "github.com/cloudnative-pg/cloudnative-pg"],
    ] as const) {
      const text = fs.readFileSync(path.join(root, "artifacts", "recipes", name, "go.mod"), "utf8");
      const version = entryOf(name).version.replace(/^v?/, "v");
      assert.ok(text.includes(`${module} ${version}`), `${name}: go.mod does not require ${module} ${version}`);
      const flags = readRecipe(`artifacts/recipes/${name}`)
        .builds.flatMap((build) => build.ldflags)
        .join(" ");
      assert.ok(flags.includes(version.slice(1)), `${name}: the version in the ldflags is another one`);
    }
  });

  it("names only entries that exist", () => {
    for (const { sources } of catalogue) {
      for (const source of sources) {
        if (source.type === "part-of") entryOf(source.entry);
        if (source.type !== "compose") continue;
        for (const layer of source.layers) {
          for (const file of "tar" in layer ? [] : (layer.files ?? [])) if ("entry" in file) entryOf(file.entry);
        }
      }
    }
    assert.throws(() => entryOf("treafik"), /no artefact "treafik" in the catalogue. It has: pulumi, .*traefik/);
  });

  it("gives every source of every entry a key of its own, which stays the same", () => {
    const keys = (): string[] => {
      const lock = new Lock();
      return catalogue.flatMap((entry) => entry.sources.map((source) => keyOf(entry, source, lock, catalogue)));
    };
    assert.equal(new Set(keys()).size, keys().length);
    assert.deepEqual(keys(), keys());
  });

  it("has in the lock only entries and versions of the catalogue", () => {
    const { upstream, recipes } = JSON.parse(
      fs.readFileSync(path.join(root, "artifacts", "lock.json"), "utf8"),
    ) as Record<"upstream" | "recipes", Record<string, unknown>>;
    const known = new Set(catalogue.map((entry) => `${entry.name}@${entry.version}`));
    for (const id of [...Object.keys(upstream), ...Object.keys(recipes)]) {
      assert.ok(known.has(id.slice(0, id.lastIndexOf("/"))), `${id} is in the lock and not in the catalogue`);
    }
  });

  it("has in the lock the recipe of everything that is built from upstream's sources", () => {
    const lock = new Lock();
    const mine = Object.entries(lock.recipes()).filter(([id]) => id.endsWith(`-${platform}`));
    const wanted = lockedRecipes(lock, catalogue);
    assert.deepEqual(
      Object.fromEntries(mine),
      wanted,
      "a recipe changed: run npm run artifacts -- lock, and commit it",
    );
    assert.ok(Object.keys(wanted).some((id) => id.startsWith("traefik-binary@")));
  });

  it("carries a renovate comment for each version that upstream decides", () => {
    const folder = path.join(root, "artifacts", "catalogue");
    for (const file of ["toolchain.ts", "cluster.ts", "platform.ts"]) {
      const lines = fs.readFileSync(path.join(folder, file), "utf8").split("\n");
      for (const [number, line] of lines.entries()) {
        if (!/^const [A-Z0-9_]+ = "v?\d+\.\d+\./.test(line) || line.includes("const API")) continue;
        assert.match(lines[number - 1] ?? "", /renovate: datasource=\S+ depName=\S+/, `${file}: ${line}`);
      }
    }
  });

  it("starts with what the engine needs", () => {
    const first = catalogue.slice(0, TOOLCHAIN.length).map((entry) => entry.name);
    assert.deepEqual(TOOLCHAIN, first);
    assert.ok(TOOLCHAIN.includes("pulumi") && TOOLCHAIN.includes("language-nodejs"));
  });
});

describe("Go versions", () => {
  it("compare as numbers, part by part", () => {
    assert.ok(isAtLeast("1.26.8", "1.26.3"));
    assert.ok(isAtLeast("1.26", "1.26.0"));
    assert.ok(isAtLeast("1.26.10", "1.26.9"));
    assert.ok(!isAtLeast("1.19.8", "1.26"));
    assert.ok(!isAtLeast("1.26.2", "1.26.3"));
  });
});
