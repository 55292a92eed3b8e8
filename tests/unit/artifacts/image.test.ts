import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { sha256 } from "../../../artifacts/hash";
import { filterTar, writeLayer, type LayerItem } from "../../../artifacts/image/layer";
import { composeImage, referenceOf, writeLayout } from "../../../artifacts/image/layout";
import { pathMatcher, TarWriter } from "../../../artifacts/image/tar";

interface Member {
  type: string;
  mode: number;
  uid: number;
  mtime: number;
  link: string;
  content: Buffer;
}

/** A tar reader of the test's own, by POSIX's ustar table, so that the writer is not checked with its own library. */
function parseTar(archive: Buffer): Map<string, Member> {
  const members = new Map<string, Member>();
  const text = (from: number, length: number): string =>
    archive.toString("utf8", from, from + length).split("\0")[0] ?? "";
  let longName: string | undefined;
  for (let at = 0; archive[at] !== 0;) {
    const size = parseInt(text(at + 124, 12), 8);
    const content = archive.subarray(at + 512, at + 512 + size);
    const type = text(at + 156, 1);
    if (type === "x") longName = /\d+ path=(.*)\n/.exec(content.toString())?.[1];
    else {
      const prefix = text(at + 345, 155);
      const name = longName ?? (prefix ? `${prefix}/` : "") + text(at, 100);
      const number = (from: number): number => parseInt(text(at + from, 8), 8);
      const mtime = parseInt(text(at + 136, 12), 8);
      members.set(name, { type, mode: number(100), uid: number(108), mtime, link: text(at + 157, 100), content });
      longName = undefined;
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return members;
}

describe("the image writer", () => {
  let folder: string;
  beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-image-"))));
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

  const items = (): LayerItem[] => [
    { to: "/usr/bin/tool", kind: "file", from: path.join(folder, "tool"), mode: 0o755 },
    { to: "/etc/passwd", kind: "text", text: "app:x:10001:10001::/:/x\n" },
    { to: "/tool", kind: "link", target: "usr/bin/tool" },
    { to: "/var/lib/app", kind: "directory", uid: 26, gid: 26, mode: 0o700 },
  ];

  async function image(name: string, order: (given: LayerItem[]) => LayerItem[] = (given) => given): Promise<Buffer> {
    fs.writeFileSync(path.join(folder, "tool"), "\x7fELF binary");
    const layer = await writeLayer(order(items()), path.join(folder, `${name}-layer.tar`));
    const made = composeImage({ name: "docker.io/library/tool", tag: "v1" }, [layer], {
      entrypoint: ["/tool"],
      user: "10001",
    });
    await writeLayout([made], path.join(folder, name));
    return fs.readFileSync(path.join(folder, name));
  }

  it("gives the same bytes for the same content, whatever the order, the time and the machine's files", async () => {
    const first = await image("a.tar");
    fs.utimesSync(path.join(folder, "tool"), new Date(1), new Date(1));
    const second = await image("b.tar", (given) => given.reverse());
    assert.equal(sha256(first), sha256(second));
  });

  it("writes an OCI layout in which every digest and size holds", async () => {
    const archive = parseTar(await image("a.tar"));
    assert.deepEqual(JSON.parse(archive.get("oci-layout")!.content.toString()), { imageLayoutVersion: "1.0.0" });
    const blob = (digest: string): Buffer => {
      const content = archive.get(`blobs/sha256/${digest.replace("sha256:", "")}`)!.content;
      assert.equal(`sha256:${sha256(content)}`, digest);
      return content;
    };
    type Descriptor = { digest: string; size: number };
    const index = JSON.parse(archive.get("index.json")!.content.toString()) as { manifests: Descriptor[] };
    const manifest = JSON.parse(blob(index.manifests[0]!.digest).toString()) as {
      config: Descriptor;
      layers: Descriptor[];
    };
    for (const descriptor of [index.manifests[0]!, manifest.config, ...manifest.layers]) {
      assert.equal(blob(descriptor.digest).length, descriptor.size);
    }
    const config = JSON.parse(blob(manifest.config.digest).toString()) as {
      os: string;
      config: object;
      rootfs: { diff_ids: string[] };
    };
    assert.deepEqual(
      config.rootfs.diff_ids,
      manifest.layers.map((layer) => layer.digest),
    );
    assert.deepEqual(config.config, { User: "10001", Entrypoint: ["/tool"] });
    assert.equal(config.os, "linux");
  });

  it("names each image by tag and by digest, as pinned pods look it up", async () => {
    const archive = parseTar(await image("a.tar"));
    type Named = { digest: string; annotations: Record<string, string> };
    const index = JSON.parse(archive.get("index.json")!.content.toString()) as { manifests: Named[] };
    const [one, two] = index.manifests;
    assert.equal(one!.annotations["io.containerd.image.name"], "docker.io/library/tool:v1");
    assert.equal(two!.annotations["io.containerd.image.name"], `docker.io/library/tool@${one!.digest}`);
    assert.equal(two!.digest, one!.digest);
  });

  it("keeps owners, modes and links of a layer, adds parent folders, and fixes all times", async () => {
    await image("a.tar");
    const layer = parseTar(fs.readFileSync(path.join(folder, "a.tar-layer.tar")));
    assert.deepEqual([...layer.keys()], [...layer.keys()].sort());
    assert.deepEqual(
      [...layer].map(
        ([name, { type, mode, uid, mtime, link }]) => `${name} ${type} ${mode.toString(8)} ${uid} ${mtime} ${link}`,
      ),
      [
        "etc/ 5 755 0 0 ",
        "etc/passwd 0 644 0 0 ",
        "tool 2 777 0 0 usr/bin/tool",
        "usr/ 5 755 0 0 ",
        "usr/bin/ 5 755 0 0 ",
        "usr/bin/tool 0 755 0 0 ",
        "var/ 5 755 0 0 ",
        "var/lib/ 5 755 0 0 ",
        "var/lib/app/ 5 700 26 0 ",
      ],
    );
  });

  it("holds several images in one archive, and a blob that they share once", async () => {
    fs.writeFileSync(path.join(folder, "tool"), "x");
    const layer = await writeLayer(items(), path.join(folder, "layer.tar"));
    const images = ["a", "b"].map((name) =>
      composeImage({ name: `docker.io/library/${name}`, tag: "1" }, [layer], { cmd: [name] }),
    );
    await writeLayout(images, path.join(folder, "set.tar"));
    const archive = parseTar(fs.readFileSync(path.join(folder, "set.tar")));
    assert.equal([...archive.keys()].filter((name) => name.startsWith("blobs/sha256/") && name.length > 13).length, 5);
    assert.match(referenceOf(images[1]!), /^docker\.io\/library\/b:1@sha256:[0-9a-f]{64}$/);
  });

  it("drops paths and devices from a system's archive, and keeps owners and hard links", async () => {
    const writer = new TarWriter(path.join(folder, "system.tar"));
    const long = `./usr/lib/${"d".repeat(120)}/file`;
    await writer.add({ name: "./usr/share/doc/a/copyright" }, "text");
    await writer.add({ name: "./usr/bin/a", mode: 0o4755, uid: 7, mtime: new Date() }, "a");
    await writer.add({ name: "./usr/bin/b", type: "link", linkname: "./usr/bin/a" });
    await writer.add({ name: "./dev/null", type: "character-device", devmajor: 1, devminor: 3 });
    await writer.add({ name: long }, "long");
    await writer.close();
    await filterTar(path.join(folder, "system.tar"), path.join(folder, "layer.tar"), ["/usr/share/doc/*"], false);
    const layer = parseTar(fs.readFileSync(path.join(folder, "layer.tar")));
    assert.deepEqual([...layer.keys()], ["usr/bin/a", "usr/bin/b", long.slice(2)]);
    assert.equal(layer.get("usr/bin/a")!.mode, 0o4755);
    assert.equal(layer.get("usr/bin/a")!.uid, 7);
    assert.equal(layer.get("usr/bin/a")!.mtime, 0);
    assert.equal(layer.get("usr/bin/b")!.link, "usr/bin/a");
    await filterTar(path.join(folder, "system.tar"), path.join(folder, "machine.tar"), [], true);
    assert.equal(parseTar(fs.readFileSync(path.join(folder, "machine.tar"))).get("dev/null")!.type, "3");
  });

  it("refuses two items with one path", async () => {
    const twice: LayerItem[] = [
      { to: "/a", kind: "text", text: "1" },
      { to: "a", kind: "text", text: "2" },
    ];
    await assert.rejects(writeLayer(twice, path.join(folder, "x.tar")), /same path/);
  });

  it("matches paths to remove with what lies below them, and not their neighbours", () => {
    const matches = pathMatcher(["/usr/share/doc/*", "/var/log/apt", "/usr/lib/*/libz3*", "/etc/a+b"]);
    for (const path of [
      "/usr/share/doc/a",
      "/usr/share/doc/a/b",
      "/var/log/apt/term.log",
      "/usr/lib/x/libz3.so.4",
      "/etc/a+b",
    ]) {
      assert.ok(matches(path), path);
    }
    for (const path of ["/usr/share/doc", "/var/log/apt2", "/usr/lib/libz3.so", "/etc/aab"]) {
      assert.ok(!matches(path), path);
    }
  });
});
