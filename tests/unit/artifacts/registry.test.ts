import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import type { Entry } from "../../../artifacts/catalogue";
import { sha256 } from "../../../artifacts/hash";
import { platform } from "../../../artifacts/lockfile";
import { registryOf } from "../../../artifacts/sources/registry";
import { bench, local, upstreamDouble, type Answer, type Bench, type UpstreamDouble } from "./support";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";

describe("pulling an image, from a double of a registry on the loopback interface", () => {
  const architecture = platform.split("-")[1];
  const layer = Buffer.from("a compressed layer");
  const config = Buffer.from(JSON.stringify({ os: "linux" }));
  const describe_ = (content: Buffer, mediaType: string) => ({
    mediaType,
    digest: `sha256:${sha256(content)}`,
    size: content.length,
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: describe_(config, "c"),
      layers: [describe_(layer, "l")],
    }),
  );
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: INDEX,
      manifests: [
        { ...describe_(Buffer.from("other"), MANIFEST), platform: { os: "linux", architecture: "s390x" } },
        { ...describe_(manifest, MANIFEST), platform: { os: "linux", architecture } },
      ],
    }),
  );
  let registry: UpstreamDouble;
  let here: Bench;
  let blobs: Record<string, Buffer>;
  let tokens: number;

  beforeEach(async () => {
    here = bench();
    tokens = 0;
    blobs = Object.fromEntries([layer, config].map((content) => [`sha256:${sha256(content)}`, content]));
    registry = await upstreamDouble((request): Answer => {
      const url = new URL(request.url ?? "", registry.url);
      if (url.pathname === "/token") {
        tokens++;
        assert.equal(url.searchParams.get("scope"), "repository:library/tool:pull");
        return { body: JSON.stringify({ token: "t0ken" }) };
      }
      if (request.headers.authorization !== "Bearer t0ken") {
        const challenge = `Bearer realm="${registry.url}/token",service="double",scope="repository:library/tool:pull"`;
        return { status: 401, headers: { "www-authenticate": challenge } };
      }
      const [, kind, reference = ""] = /^\/v2\/library\/tool\/(manifests|blobs)\/(.*)$/.exec(url.pathname) ?? [];
      if (kind === "blobs") return blobs[reference] ? { body: blobs[reference] } : { status: 404 };
      if (reference === "v1") return { headers: { "content-type": INDEX }, body: index };
      if (reference === `sha256:${sha256(manifest)}`) return { headers: { "content-type": MANIFEST }, body: manifest };
      return { status: 404 };
    });
  });
  afterEach(async () => {
    await registry.close();
    here.remove();
  });

  const entry = (): Entry => ({
    name: "tool",
    version: "v1",
    kind: "image",
    about: "for the test",
    file: "tool.tar",
    image: { name: `${new URL(registry.url).host}/library/tool`, tag: "v1" },
    sources: [{ type: "pull", parts: "official", seconds: 1 }, local()],
  });

  it("takes this platform's manifest and its blobs, with the token that the challenge asks for, and locks the digest", async () => {
    const [tool] = await here.resolver([entry()]).all(["tool"]);
    assert.equal(tool!.parts, "official");
    assert.equal((tool as { ref?: string }).ref, `${entry().image!.name}:v1@sha256:${sha256(manifest)}`);
    assert.equal(tokens, 1);
    const archive = fs.readFileSync(tool!.path);
    for (const content of [layer, config, manifest]) assert.ok(archive.includes(content));
    assert.equal(here.lock.upstream("tool", "v1"), undefined, "the bench's own view is from before");
    assert.ok(fs.readFileSync(here.lockPath, "utf8").includes(sha256(manifest)));
  });

  it("asks for the locked digest and not for the tag once the lock has it", async () => {
    here.lock.record("tool", "v1", { from: "x", sha256: sha256(manifest) });
    await here.resolver([entry()]).all(["tool"]);
    assert.ok(!registry.asked.some((line) => line.endsWith("/manifests/v1")));
  });

  it("stops at a blob that is not what its digest says, without trying another source", async () => {
    blobs[`sha256:${sha256(layer)}`] = Buffer.from("tampered with");
    await assert.rejects(
      here.resolver([entry()]).all(["tool"]),
      new RegExp(`tool: the checksum.*[^]*${sha256(layer)}[^]*${sha256("tampered with")}`),
    );
  });

  it("goes on to the next source when the registry has no such image", async () => {
    const missing = { ...entry(), image: { ...entry().image!, tag: "v2" } };
    const run = (await import("../../../artifacts/sources")).runSource;
    const [tool] = await here
      .resolver([missing], {
        run: (source, context) => {
          if (source.type === "pull") return run(source, context);
          fs.writeFileSync(`${context.out}/tool.tar`, "");
          return Promise.resolve({ source: "test" });
        },
      })
      .all(["tool"]);
    assert.equal(tool!.parts, "built");
    assert.ok(here.said.some((line) => line.includes("/manifests/v2 answered 404")));
  });

  it("knows where a name's registry is", () => {
    assert.deepEqual(registryOf("docker.io/library/traefik"), {
      api: "https://registry-1.docker.io",
      repository: "library/traefik",
    });
    assert.deepEqual(registryOf("ghcr.io/a/b"), { api: "https://ghcr.io", repository: "a/b" });
  });
});
