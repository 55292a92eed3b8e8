import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import type { Source } from "../../../artifacts/catalogue";
import { ChecksumMismatch } from "../../../artifacts/errors";
import { sha256 } from "../../../artifacts/hash";
import {
  bench,
  fileEntry,
  local,
  sha256sum,
  upstreamDouble,
  type Answer,
  type Bench,
  type UpstreamDouble,
} from "./support";

describe("a download, from a double of upstream on the loopback interface", () => {
  const content = "the release";
  let upstream: UpstreamDouble;
  let answers: Record<string, Answer>;
  let here: Bench;

  beforeEach(async () => {
    here = bench();
    answers = { "/tool": { body: content }, "/sums.txt": { body: sha256sum({ other: "x", tool: content }) } };
    upstream = await upstreamDouble((request) => answers[request.url ?? ""] ?? { status: 404 });
  });
  afterEach(async () => {
    await upstream.close();
    here.remove();
  });

  const source = (): Source => ({
    type: "download",
    parts: "official",
    seconds: 1,
    url: `${upstream.url}/tool`,
    checksums: `${upstream.url}/sums.txt`,
  });
  const fallback = { run: undefined };

  it("is checked against upstream's checksum file the first time, and its digest goes into the lock", async () => {
    const [tool] = await here.resolver([fileEntry("tool", source())]).all(["tool"]);
    assert.equal(fs.readFileSync(tool!.path, "utf8"), content);
    assert.equal(tool!.parts, "official");
    const lock = JSON.parse(fs.readFileSync(here.lockPath, "utf8")) as { upstream: Record<string, { sha256: string }> };
    assert.deepEqual(
      Object.values(lock.upstream).map((one) => one.sha256),
      [sha256(content)],
    );
    assert.ok(here.said.some((line) => line.includes("review and commit")));
  });

  it("is not fetched again when it is in the cache, even with upstream gone", async () => {
    await here.resolver([fileEntry("tool", source())]).all(["tool"]);
    const asked = upstream.asked.length;
    here.reachable = false;
    await here.resolver([fileEntry("tool", source())]).all(["tool"]);
    assert.equal(upstream.asked.length, asked);
  });

  it("stops at a checksum that differs from the lock: name, both digests, what to do, and no fallback", async () => {
    here.lock.record("tool", "v1", { from: `${upstream.url}/tool`, sha256: "0".repeat(64) });
    const resolver = here.resolver([fileEntry("tool", source(), local())], fallback);
    await assert.rejects(resolver.all(["tool"]), (error: Error) => {
      assert.ok(error instanceof ChecksumMismatch);
      for (const part of [
        "tool: the checksum",
        "0".repeat(64),
        sha256(content),
        "artifacts/lock.json",
        "--update-lock",
      ]) {
        assert.ok(error.message.includes(part), `${part} is missing in: ${error.message}`);
      }
      return true;
    });
    assert.deepEqual(fs.readdirSync(here.cache.path("tmp")), []);
    assert.ok(!fs.existsSync(here.cache.path("entries")));
  });

  it("stops at a checksum that differs from upstream's own file", async () => {
    answers["/tool"] = { body: "something else" };
    await assert.rejects(
      here.resolver([fileEntry("tool", source())]).all(["tool"]),
      /expected [0-9a-f]{64} \(http.*sums\.txt\)/,
    );
  });

  it("replaces the lock's digest when told to", async () => {
    here.lock.record("tool", "v1", { from: "x", sha256: "0".repeat(64) });
    await here.resolver([fileEntry("tool", source())], { updateLock: true }).all(["tool"]);
    assert.ok(fs.readFileSync(here.lockPath, "utf8").includes(sha256(content)));
  });

  it("refuses what nothing vouches for", async () => {
    answers["/sums.txt"] = { body: sha256sum({ other: "x" }) };
    await assert.rejects(here.resolver([fileEntry("tool", source())]).all(["tool"]), /has no SHA-256 of tool/);
  });

  it("takes the named members out of a .tar.gz and nothing else", async () => {
    const archive = pack();
    archive.entry({ name: "tool/bin" }, "binary");
    archive.entry({ name: "tool/../../escape" }, "outside");
    archive.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of archive) chunks.push(chunk as Buffer);
    const body = gzipSync(Buffer.concat(chunks));
    answers["/tool"] = { body };
    answers["/sums.txt"] = { body: sha256sum({ tool: body }) };
    const unpacking = { ...source(), unpack: { "tool/bin": "result" } } as Source;
    const [tool] = await here.resolver([fileEntry("tool", unpacking)]).all(["tool"]);
    assert.equal(fs.readFileSync(tool!.path, "utf8"), "binary");
    assert.deepEqual(fs.readdirSync(path.dirname(tool!.path)).sort(), ["entry.json", "result"]);
    assert.equal(fs.statSync(tool!.path).mode & 0o777, 0o755);
  });
});

describe("falling through to the next source", () => {
  let here: Bench;
  beforeEach(() => (here = bench()));
  afterEach(() => here.remove());

  const dead: Source = {
    type: "download",
    parts: "official",
    seconds: 1,
    url: "http://127.0.0.1:45999/tool",
    checksums: "http://127.0.0.1:45999/s",
  };
  const write: Bench["resolver"] = (entries, more) =>
    here.resolver(entries, {
      run: (source, context) => {
        fs.writeFileSync(path.join(context.out, context.entry.file), "built");
        return Promise.resolve({ source: source.type });
      },
      ...more,
    });

  it("happens when upstream cannot be reached, and says so in one line", async () => {
    here.reachable = false;
    const [tool] = await write([fileEntry("tool", dead, local())]).all(["tool"]);
    assert.equal(tool!.parts, "built");
    assert.equal(here.said.filter((line) => line.includes("127.0.0.1:45999 is not reachable")).length, 1);
  });

  it("asks each host once in ten minutes, also across runs", async () => {
    here.reachable = false;
    await write([fileEntry("a", dead, local()), fileEntry("b", dead, local())]).all(["a", "b"]);
    await write([fileEntry("a", dead, local())]).all(["a"]);
    assert.deepEqual(here.probed, ["127.0.0.1:45999"]);
    const file = here.cache.path("reachability.json");
    const memory = JSON.parse(fs.readFileSync(file, "utf8")) as Record<string, { at: number }>;
    for (const one of Object.values(memory)) one.at -= 11 * 60_000;
    fs.writeFileSync(file, JSON.stringify(memory));
    await write([fileEntry("a", dead, local())]).all(["a"]);
    assert.equal(here.probed.length, 2);
  });

  it("happens when a host that answered the probe refuses the connection", async () => {
    const entries = [fileEntry("tool", dead, local())];
    const real = (await import("../../../artifacts/sources")).runSource;
    const [tool] = await write(entries, {
      run: (source, context) => {
        if (source.type === "download") return real(source, context);
        fs.writeFileSync(path.join(context.out, "result"), "built");
        return Promise.resolve({ source: "test" });
      },
    }).all(["tool"]);
    assert.equal(tool!.parts, "built");
    assert.ok(
      here.said.some((line) => /127\.0\.0\.1:45999 is not reachable \(ECONNREFUSED\)/.test(line)),
      here.said.join("\n"),
    );
  });

  it("does not happen when a build fails", async () => {
    const run = () => Promise.reject(new Error("compiler says no"));
    await assert.rejects(write([fileEntry("tool", local("1"), local("2"))], { run }).all(["tool"]), /compiler says no/);
  });

  it("ends with every reason when no source is left", async () => {
    here.reachable = false;
    await assert.rejects(
      write([fileEntry("tool", dead)]).all(["tool"]),
      /tool v1 is not to be had: 127\.0\.0\.1:45999 is not reachable/,
    );
  });

  it("takes the official part as soon as it is to be had", async () => {
    here.reachable = false;
    const entries = [fileEntry("tool", dead, local())];
    assert.equal((await write(entries).all(["tool"]))[0]!.parts, "built");
    here.reachable = true;
    fs.rmSync(here.cache.path("reachability.json"));
    assert.equal((await write(entries).all(["tool"]))[0]!.parts, "official");
  });
});
