import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CloudApi } from "../../../cli/cloud/api";
import { dropBrokenSidecars } from "../../../cli/locks";
import {
  type Recovered,
  type StackState,
  recoverPendingCreates,
  uncertain,
  type Undertaking,
} from "../../../cli/strays";
import { type Cloud, startCloud } from "../../../standins/cloud/cloud";
import { paper } from "../../../standins/cloud/paper";
import { cli, engineEnv, homeOf, type Provider, subjects } from "../contract/subjects";
import { counted } from "./counted";
import { label } from "./program";

/** Rounds of: up killed, up, destroy killed, destroy. A round is four starts of the engine. */
const rounds = Number(process.env["GROUNDWORK_KILLS"] ?? 2);

/** What the whole program makes. */
const whole = {
  ssh_keys: 1,
  networks: 1,
  servers: 3,
  placement_groups: 1,
  firewalls: 2,
  load_balancers: 1,
  volumes: 1,
  primary_ips: 5,
  images: 1,
};

interface Result {
  code: number | null;
  text: string;
}

/** The engine on a project of its own, as a user has it. */
class Project {
  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), "kill-"));
  private readonly env: NodeJS.ProcessEnv;

  constructor(plugin: string, cloud: Cloud) {
    const program = JSON.stringify(path.join(__dirname, "program.ts"));
    const access = "{ token: process.env.TEST_TOKEN, endpoint: process.env.TEST_ENDPOINT }";
    const files = {
      "Pulumi.yaml": "name: it\nruntime: nodejs\n",
      "package.json": JSON.stringify({ name: "it", dependencies: { "@pulumi/pulumi": "*", "@pulumi/hcloud": "*" } }),
      // Without the one kind that the official provider can't destroy when it is gone, not even after a refresh; the project has none.
      "index.ts": `declare const require: any, process: any; require(${program}).everything(${access}, { applied: false });\n`,
    };
    for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(this.folder, name), text);
    fs.symlinkSync(path.resolve(__dirname, "../../../node_modules"), path.join(this.folder, "node_modules"));
    const home = homeOf([plugin], this.folder);
    const reach = { TEST_TOKEN: cloud.token, TEST_ENDPOINT: cloud.endpoint };
    this.env = { ...process.env, ...engineEnv(home, path.join(this.folder, "state")), ...reach };
  }

  start(args: string[]): { child: ChildProcess; ended: Promise<Result> } {
    const all = [...args, "--non-interactive", "--color", "never"];
    const child = spawn(cli(), all, { cwd: this.folder, env: this.env, stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => void (text += chunk.toString()));
    return { child, ended: new Promise((done) => child.once("close", (code) => done({ code, text }))) };
  }

  async run(...args: string[]): Promise<string> {
    const { code, text } = await this.start(args).ended;
    assert.equal(code, 0, `pulumi ${args.join(" ")}: ${text}`);
    return text;
  }

  async state(): Promise<StackState> {
    const file = path.join(this.folder, "exported.json");
    await this.run("stack", "export", "--file", file);
    return JSON.parse(fs.readFileSync(file, "utf8")) as StackState;
  }

  /** What the command line does before it runs a stack again whose engine was killed. */
  async recover(cloud: Cloud, next: Undertaking): Promise<Recovered[]> {
    dropBrokenSidecars(this.env["PULUMI_BACKEND_URL"]!);
    await this.run("cancel", "--yes");
    const state = await this.state();
    const recovered = await recoverPendingCreates({ state, label, api: new CloudApi(cloud) });
    const file = path.join(this.folder, "import.json");
    fs.writeFileSync(file, JSON.stringify(state));
    await this.run("stack", "import", "--file", file);
    const targets = uncertain(state, next).flatMap((urn) => ["--target", urn]);
    if (targets.length > 0) await this.run("refresh", "--yes", "--skip-preview", "--skip-pending-creates", ...targets);
    return recovered;
  }

  /**
   * Waits until nothing of the killed engine runs any more but plugins: what an official one was doing is called off with the
   * connection, and the process itself looks for its engine every five minutes only.
   */
  async quiet(): Promise<void> {
    const others = () => this.processes().filter(({ line }) => !line.includes("/pulumi-resource-"));
    for (const end = Date.now() + 120_000; others().length > 0; await sleep(50)) {
      if (Date.now() > end)
        throw new Error(
          `still running: ${others()
            .map(({ line }) => line)
            .join("; ")}`,
        );
    }
  }

  /** Ends the plugins whose engines were killed, and which would end themselves later. */
  endOrphans(): number {
    const orphans = this.processes();
    for (const { pid } of orphans) process.kill(pid, "SIGKILL");
    return orphans.length;
  }

  private processes(): { pid: number; line: string }[] {
    return fs.readdirSync("/proc").flatMap((entry) => {
      const pid = Number(entry);
      if (!/^\d+$/.test(entry) || pid === process.pid) return [];
      try {
        const line = fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        return line.includes(this.folder) ? [{ pid, line }] : [];
      } catch {
        return [];
      }
    });
  }

  remove(): void {
    this.endOrphans();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Changes that the cloud was asked for so far: the clock by which the engine is killed, since it runs at the engine's own pace. */
function changes(cloud: Cloud): number {
  return Object.entries(cloud.requests().byPath)
    .filter(([pattern]) => !pattern.startsWith("GET "))
    .reduce((sum, [, count]) => sum + count, 0);
}

/** Runs the engine and kills it after some more changes; false when it was done before. */
async function killed(project: Project, cloud: Cloud, verb: "up" | "destroy", after: number): Promise<boolean> {
  const from = changes(cloud);
  const { child, ended } = project.start([verb, "--yes", "--skip-preview"]);
  const outcome: { done?: Result } = {};
  void ended.then((result) => (outcome.done = result));
  while (!outcome.done && changes(cloud) < from + after) await sleep(1);
  await sleep(Math.random() * 40);
  const hit = child.exitCode === null && child.kill("SIGKILL");
  await ended;
  await project.quiet();
  await cloud.settled();
  // What was on its way has arrived.
  await sleep(200);
  const asked = cloud.requests().total;
  await sleep(800);
  assert.equal(cloud.requests().total, asked, "a plugin goes on without its engine");
  return hit;
}

describe("an engine killed while it works in the cloud", function () {
  this.timeout(rounds * 300_000);

  for (const subject of subjects("hcloud" as Provider)) {
    it(`goes on, loses nothing and leaves nothing: ${rounds} rounds (${subject.kind})`, async () => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), "cloud-"));
      const cloud = await startCloud({ folder, backend: paper(), rateLimit: 3_600_000, latency: { actions: 30 } });
      const project = new Project(subject.folder, cloud);
      const tally = { killed: 0, deleted: 0, pending: 0, orphans: 0 };
      try {
        await project.run("stack", "init", "it");
        for (let round = 1; round <= rounds; round++) {
          // The whole is about 22 changes to make, and as many to take away.
          for (const verb of ["up", "destroy"] as const) {
            const after = 1 + Math.floor(Math.random() * 21);
            const where = `round ${round}, ${verb} killed after ${after} changes`;
            if (await killed(project, cloud, verb, after)) tally.killed++;
            const recovered = await project.recover(cloud, verb);
            tally.pending += recovered.length;
            tally.deleted += recovered.filter((r) => r.result === "deleted").length;
            assert.deepEqual(
              recovered.filter((r) => r.result === "foreign"),
              [],
              where,
            );
            const { code, text } = await project.start([verb, "--yes", "--skip-preview"]).ended;
            assert.equal(code, 0, `${where}: ${text}`);
            await cloud.settled();
            assert.deepEqual(counted(cloud), verb === "up" ? whole : {}, where);
            const { deployment } = await project.state();
            assert.deepEqual(deployment?.pending_operations ?? [], [], where);
            // They were there all the while, and did no harm.
            tally.orphans += project.endOrphans();
          }
        }
        process.stdout.write(
          `      killed ${tally.killed} of ${rounds * 2} times; ${tally.pending} creations cut off, ${tally.deleted} objects taken back; ` +
            `${tally.orphans} plugins outlived their engine\n`,
        );
        assert.ok(tally.killed > 0, "the engine was never killed");
      } finally {
        await cloud.stop();
        project.remove();
        fs.rmSync(folder, { recursive: true, force: true });
      }
    });
  }
});
