import * as assert from "node:assert/strict";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { Engine, engineEnvironment, stackOf, Toolchain, withProjectDefaults } from "../../../cli/engine";

describe("the command line that reaches the engine", () => {
  it("gets the policy pack and the effective configuration for preview and up", () => {
    for (const verb of ["up", "preview", "update"]) {
      const args = withProjectDefaults([verb, "--stack", "dev"], "/s/Pulumi.dev.yaml");
      assert.deepEqual(args.slice(3, 5), ["--config-file", "/s/Pulumi.dev.yaml"]);
      assert.equal(args[5], "--policy-pack");
      assert.equal(path.basename(args[6]!), "policies");
    }
  });

  it("gets the pack's configuration with the pack, and not with a pack of the user's", () => {
    const args = withProjectDefaults(["up"], undefined, "/s/policies-dev.json");
    assert.deepEqual(args.slice(-2), ["--policy-pack-config", "/s/policies-dev.json"]);
    for (const own of ["--policy-pack=mine", "--policy-pack-config=mine.json"]) {
      assert.ok(!withProjectDefaults(["up", own], undefined, "/s/policies-dev.json").includes("/s/policies-dev.json"));
    }
  });

  it("keeps what the user said", () => {
    const line = ["up", "--policy-pack=mine", "--config-file", "my.yaml"];
    assert.deepEqual(withProjectDefaults(line, "/s/x.yaml"), line);
  });

  it("gets the configuration but no policies where no resource is made", () => {
    assert.deepEqual(withProjectDefaults(["destroy", "-y"], "/s/x.yaml"), [
      "destroy",
      "-y",
      "--config-file",
      "/s/x.yaml",
    ]);
    assert.deepEqual(withProjectDefaults(["stack", "ls"], "/s/x.yaml"), ["stack", "ls"]);
  });

  it("names its stack in any of three spellings", () => {
    assert.equal(stackOf(["up", "--stack", "a"]), "a");
    assert.equal(stackOf(["up", "-s", "b"]), "b");
    assert.equal(stackOf(["--stack=c", "up"]), "c");
    assert.equal(stackOf(["up"]), undefined);
  });
});

describe("the engine's surroundings", () => {
  let folder: string;
  const kept = { ...process.env };
  const toolchain: Toolchain = {
    cli: "/cache/bin/pulumi",
    pulumiHome: "/cache/home",
    parts: { "plugin-tls": "stand-in" },
  };

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-engine-"));
    process.env["GROUNDWORK_STATE_DIR"] = folder;
    for (const name of ["PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"])
      delete process.env[name];
  });
  afterEach(() => {
    process.env = { ...kept };
    fs.rmSync(folder, { recursive: true });
  });

  it("have a passphrase of their own that only the user can read, and that stays", () => {
    const file = engineEnvironment(toolchain)["PULUMI_CONFIG_PASSPHRASE_FILE"]!;
    const passphrase = fs.readFileSync(file, "utf8");
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    assert.ok(passphrase.trim().length >= 43);
    engineEnvironment(toolchain);
    assert.equal(fs.readFileSync(file, "utf8"), passphrase);
  });

  it("follow a backend and a passphrase of the user's", () => {
    process.env["PULUMI_BACKEND_URL"] = "s3://bucket";
    process.env["PULUMI_CONFIG_PASSPHRASE"] = "given";
    const env = engineEnvironment(toolchain);
    assert.equal(env["PULUMI_BACKEND_URL"], "s3://bucket");
    assert.equal(env["PULUMI_CONFIG_PASSPHRASE_FILE"], undefined);
    assert.equal(fs.existsSync(path.join(folder, "passphrase")), false);
  });

  it("forbid the engine to look for plugins only where stand-ins take their place", () => {
    assert.equal(engineEnvironment(toolchain)["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"], "true");
    delete process.env["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"];
    const official = { ...toolchain, parts: { "plugin-tls": "official" as const } };
    assert.equal(engineEnvironment(official)["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"], undefined);
  });

  const lock = (pid: number) => {
    const file = path.join(folder, "backend", ".pulumi", "locks", "organization", "groundwork", "dev", "x.json");
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, JSON.stringify({ pid, username: "root", hostname: "here" }));
    return file;
  };

  it("lose the lock of an engine that died", async () => {
    const file = lock(2 ** 22 + 1); // above the kernel's highest process number
    await new Engine(toolchain).releaseStaleLock("dev");
    assert.equal(fs.existsSync(file), false);
  });

  it("lose the lock of an engine that was killed and not waited for", async () => {
    // The shell starts a child, ends it, and becomes a program that never waits: the child stays as a zombie.
    const shell = spawn("sh", ["-c", "sleep 60 & echo $!; kill -9 $!; exec sleep 60"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const pid = await new Promise<number>((resolve) =>
      shell.stdout.once("data", (text: Buffer) => resolve(Number(text))),
    );
    try {
      const dead = () => / Z /.test(fs.readFileSync(`/proc/${pid}/stat`, "latin1"));
      while (!dead()) await new Promise((resolve) => setTimeout(resolve, 20));
      const file = lock(pid);
      await new Engine(toolchain).releaseStaleLock("dev");
      assert.equal(fs.existsSync(file), false);
    } finally {
      shell.kill("SIGKILL");
    }
  });

  it("keep the lock of an engine that runs, and say which it is", async () => {
    const file = lock(process.pid);
    await assert.rejects(new Engine(toolchain).releaseStaleLock("dev"), new RegExp(`process ${process.pid}`));
    assert.equal(fs.existsSync(file), true);
  });
});
