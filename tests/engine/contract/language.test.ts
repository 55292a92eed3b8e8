import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { root, scratch } from "./scenario";
import { cli, engineEnv, homeOf, subjects } from "./subjects";

/**
 * The node language host: whichever stands beside the CLI runs these projects. They are folders as a user has them, so that the
 * host finds the SDK, reads options and starts node as it does for a user.
 */
const modules = path.resolve(__dirname, "../../../node_modules");

function project(files: Record<string, string>): { dir: string; env: NodeJS.ProcessEnv } {
  const dir = scratch();
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    fs.writeFileSync(path.join(dir, name), text);
    const manifest = path.join(path.dirname(path.join(dir, name)), "node_modules");
    if (path.basename(name) === "package.json" && !fs.existsSync(manifest)) fs.symlinkSync(modules, manifest);
  }
  const home = homeOf(
    (["random", "command"] as const).map((p) => subjects(p)[0]!.folder),
    root,
  );
  const env = { ...process.env, ...engineEnv(home, path.join(home, "state")) };
  const init = pulumi({ dir, env }, ["stack", "init", "it"]);
  assert.equal(init.status, 0, init.stderr);
  return { dir, env };
}

function pulumi(
  p: { dir: string; env: NodeJS.ProcessEnv },
  args: string[],
): ReturnType<typeof spawnSync> & { text: string; stderr: string } {
  const r = spawnSync(cli(), [...args, "--non-interactive", "--color", "never"], {
    cwd: p.dir,
    env: p.env,
    encoding: "utf8",
    timeout: 240_000,
  });
  return { ...r, text: `${r.stdout}${r.stderr}` };
}

const manifest = (dependencies: string[]): string =>
  JSON.stringify({
    name: "it",
    version: "0.0.1",
    dependencies: Object.fromEntries(dependencies.map((d) => [`@pulumi/${d}`, "*"])),
  });

/** Whether a process with this text on its command line lives; a zombie does not. */
function alive(text: string): boolean {
  return fs.readdirSync("/proc").some((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text);
    } catch {
      return false;
    }
  });
}

async function until(what: string, holds: () => boolean, seconds = 60): Promise<void> {
  for (const end = Date.now() + seconds * 1000; !holds(); await sleep(100)) {
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`);
  }
}

describe("contract: node language host", function () {
  this.timeout(600_000);

  it("runs TypeScript and JavaScript, gives configuration, secrets and options", () => {
    const ts = project({
      "Pulumi.yaml": `name: it\nmain: src/main.ts\nruntime:\n  name: nodejs\n  options:\n    nodeargs: "--stack-trace-limit=23"\n`,
      "package.json": manifest(["pulumi"]),
      "src/main.ts": `
        import * as pulumi from "@pulumi/pulumi";
        const c = new pulumi.Config();
        const n: number = c.requireNumber("n");
        export const limit = Error.stackTraceLimit;
        export const double = n * 2;
        export const hidden = c.requireSecret("hidden");
        export const stack = pulumi.getStack() + "/" + pulumi.getProject();
        export const root = pulumi.getRootDirectory?.() ?? "";
      `,
    });
    for (const args of [
      ["n", "21"],
      ["--secret", "hidden", "word"],
    ]) {
      assert.equal(pulumi(ts, ["config", "set", ...args]).status, 0);
    }
    const up = pulumi(ts, ["up", "--yes", "--skip-preview"]);
    assert.equal(up.status, 0, up.text);
    assert.ok(!up.text.includes("word"), "a secret was printed");
    const outputs = JSON.parse(pulumi(ts, ["stack", "output", "--json", "--show-secrets"]).stdout as string) as Record<
      string,
      unknown
    >;
    assert.deepEqual(
      { ...outputs, root: undefined },
      { limit: 23, double: 42, hidden: "word", stack: "it/it", root: undefined },
    );
  });

  it("reports what a program throws, with its place, and fails", () => {
    const p = project({
      "Pulumi.yaml": "name: it\nruntime: nodejs\n",
      "package.json": manifest(["pulumi"]),
      "index.ts": "function inner(): never {\n  throw new Error('thrown here');\n}\ninner();\n",
    });
    const up = pulumi(p, ["preview"]);
    assert.notEqual(up.status, 0);
    assert.match(up.text, /thrown here/);
    assert.match(up.text, /index\.ts:2/);
  });

  it("says how to get an SDK that is not installed", () => {
    const p = project({ "Pulumi.yaml": "name: it\nruntime: nodejs\n", "index.ts": "" });
    fs.writeFileSync(path.join(p.dir, "package.json"), "{}");
    const up = pulumi(p, ["preview"]);
    assert.notEqual(up.status, 0);
    assert.match(up.text, /npm (ci|install)|pulumi install/);
  });

  it("runs policy packs, and a mandatory violation stops the preview", () => {
    const p = project({
      "Pulumi.yaml": "name: it\nruntime: nodejs\n",
      "package.json": manifest(["pulumi", "random"]),
      "index.ts": `import * as random from "@pulumi/random"; new random.RandomPet("pet", { length: Number(process.env.WORDS) });`,
      "pack/PulumiPolicy.yaml": "runtime: nodejs\nmain: index.ts\n",
      "pack/package.json": manifest(["policy"]),
      "pack/index.ts": `
        import * as pulumi from "@pulumi/pulumi";
        import { PolicyPack } from "@pulumi/policy";
        new PolicyPack("pack", { policies: [{ name: "short", description: "short names", enforcementLevel: "mandatory",
          validateResource: (a, report) => { if (a.props["length"] > 2) report("too long a name for " + pulumi.getStack()); } }] });`,
    });
    const good = pulumi({ ...p, env: { ...p.env, WORDS: "2" } }, ["preview", "--policy-pack", "pack"]);
    assert.equal(good.status, 0, good.text);
    const bad = pulumi({ ...p, env: { ...p.env, WORDS: "3" } }, ["preview", "--policy-pack", "pack"]);
    assert.notEqual(bad.status, 0);
    assert.match(bad.text, /too long a name for it/, "a pack knows which stack it looks at");
  });

  it("runs dynamic providers", () => {
    const p = project({
      "Pulumi.yaml": "name: it\nruntime: nodejs\n",
      "package.json": manifest(["pulumi"]),
      "index.ts": `
        import * as pulumi from "@pulumi/pulumi";
        class R extends pulumi.dynamic.Resource { declare readonly twice: pulumi.Output<number>;
          constructor() { super({ async create(i: any) { return { id: "d", outs: { twice: i.n * 2 } }; } }, "r", { n: 4, twice: undefined }); } }
        export const twice = new R().twice;`,
    });
    const up = pulumi(p, ["up", "--yes", "--skip-preview"]);
    assert.equal(up.status, 0, up.text);
    assert.equal((pulumi(p, ["stack", "output", "twice"]).stdout as string).trim(), "8");
    assert.equal(pulumi(p, ["destroy", "--yes", "--skip-preview"]).status, 0);
  });

  it("leaves no process behind when the engine is killed, and the next run goes on", async () => {
    const p = project({
      "Pulumi.yaml": "name: it\nruntime: nodejs\n",
      "package.json": manifest(["pulumi", "command"]),
      "index.ts": `
        import * as command from "@pulumi/command";
        const first = new command.local.Command("first", { create: "echo first" });
        new command.local.Command("slow", { create: process.env.SCRIPT! }, { dependsOn: first });`,
    });
    const mark = `sleep ${600 + Math.floor(Math.random() * 1e6) / 1e7}`;
    const child: ChildProcess = spawn(cli(), ["up", "--yes", "--skip-preview", "--non-interactive"], {
      cwd: p.dir,
      env: { ...p.env, SCRIPT: `${mark}; true` },
      stdio: "ignore",
    });
    await until("the slow command runs", () => alive(mark));
    assert.ok(alive(p.dir), "the program's node process has the project on its command line");
    child.kill("SIGKILL");
    await until("its processes end", () => !alive(p.dir) && !alive(mark));
    pulumi(p, ["cancel", "--yes"]);
    const up = pulumi({ ...p, env: { ...p.env, SCRIPT: "echo done" } }, ["up", "--yes", "--skip-preview"]);
    assert.equal(up.status, 0, up.text);
    assert.match(up.text, /1 unchanged|2 unchanged|1 created/);
  });

  it("stops at Ctrl-C, and the next run goes on", async () => {
    const p = project({
      "Pulumi.yaml": "name: it\nruntime: nodejs\n",
      "package.json": manifest(["pulumi", "command"]),
      "index.ts": `
        import * as command from "@pulumi/command";
        const first = new command.local.Command("first", { create: "sleep 2; echo first" });
        new command.local.Command("second", { create: "echo second" }, { dependsOn: first });`,
    });
    const child = spawn(cli(), ["up", "--yes", "--skip-preview", "--non-interactive"], {
      cwd: p.dir,
      env: p.env,
      stdio: "ignore",
    });
    await until("the first command runs", () => alive("sleep 2; echo first"));
    child.kill("SIGINT");
    const code = await new Promise((done) => child.once("exit", done));
    assert.notEqual(code, 0);
    await until("its processes end", () => !alive(p.dir) && !alive("sleep 2; echo first"));
    const up = pulumi(p, ["up", "--yes", "--skip-preview"]);
    assert.equal(up.status, 0, up.text);
    const state = JSON.parse(pulumi(p, ["stack", "export"]).stdout as string) as State;
    assert.deepEqual(state.deployment.pending_operations ?? [], []);
    const made = state.deployment.resources.filter((r) => r.type === "command:local:Command");
    assert.deepEqual(made.map((r) => r.urn.split("::").at(-1)).sort(), ["first", "second"]);
  });
});

interface State {
  deployment: { resources: { urn: string; type: string }[]; pending_operations?: unknown[] };
}
