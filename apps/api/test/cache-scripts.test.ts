import * as assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { beatScript, probeScript, reloadScript } from "../../../components/data/valkey-files";
import { Authority } from "./helpers/authority";
import { until } from "./helpers/service";
import { Valkey } from "./helpers/valkey";

describe("the scripts of the cache's pod", function () {
  this.timeout(30_000);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-scripts-"));
  const authority = new Authority(folder);
  const cache = new Valkey(authority);
  const client = authority.issue({ commonName: "api" });
  const running: ChildProcess[] = [];

  const start = (script: string): { child: ChildProcess; output: () => string; ended: Promise<number | null> } => {
    const env = { PATH: `${cache.commands()}:${process.env["PATH"]}` };
    const child = spawn("/bin/sh", [script], { env, stdio: ["ignore", "pipe", "pipe"] });
    running.push(child);
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
    return { child, output: () => output, ended: new Promise((resolve) => child.once("exit", resolve)) };
  };
  /** With pauses that a test can wait for. */
  const quick = reloadScript.replace(/sleep \d+/, "sleep 0.2");
  const lasting = beatScript.replace(/-lt \d+/, "-lt 2");

  before(() => cache.start());
  after(async () => {
    for (const child of running) child.kill("SIGKILL");
    await cache.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  it("bring a renewed certificate to the server, and no broken one", async () => {
    const before = await cache.serial(client);
    const reloader = start(cache.script("reload.sh", quick));
    const loaded = (times: number) =>
      until(
        `certificate number ${times}`,
        async () => reloader.output().split("certificate loaded").length - 1,
        (count) => count === times,
      );
    await loaded(1);
    assert.equal(await start(cache.script("beat.sh", lasting)).ended, 0);
    cache.writeCertificate();
    await loaded(2);
    const renewed = await cache.serial(client);
    assert.notEqual(renewed, before);

    cache.replace("tls.crt", "no certificate");
    await until(
      "the refusal",
      async () => reloader.output(),
      (text) => text.includes("certificate not loaded: OK\nERR"),
    );
    assert.equal(await cache.serial(client), renewed);
    // Who could not bring the newest one over stops being alive, and is started anew.
    await until(
      "silence",
      () => start(cache.script("beat.sh", lasting)).ended,
      (code) => code === 1,
    );
    cache.writeCertificate();
    await loaded(3);
    assert.equal(await start(cache.script("beat.sh", lasting)).ended, 0);
    assert.ok(!reloader.output().includes(fs.readFileSync(path.join(cache.folder, "reloader/password"), "utf8")));

    reloader.child.kill("SIGTERM");
    assert.equal(await reloader.ended, 0, "it ends when it is told to");
  });

  it("tell whether the server answers over TLS", async () => {
    const script = cache.script("probe.sh", probeScript);
    assert.equal(await start(script).ended, 0);
    await cache.down();
    const probe = start(script);
    assert.equal(await probe.ended, 1);
    assert.match(probe.output(), /refused/i);
  });
});
