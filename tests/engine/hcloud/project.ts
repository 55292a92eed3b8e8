import * as assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { ensureToolchain, plainUi } from "../../../cli/artifacts";
import { CloudApi } from "../../../cli/cloud/api";
import { type EngineError, readErrors } from "../../../cli/cloud-errors";
import { engineEnvironment } from "../../../cli/engine";
import { root } from "../../../cli/paths";
import { type Emulator, type EmulatorOptions, startEmulator } from "../../../standins/cloud/main";
import { pulumiHome, type Subject } from "../contract/subjects";

export interface Ended {
  code: number;
  output: string;
}

/** A run of the engine that has to end well. */
export function ok(ended: Ended): Ended {
  assert.equal(ended.code, 0, ended.output.slice(-3000));
  return ended;
}

/** A stack of the program beside this file on the real engine, and an emulated cloud (a stand-in) without machines. */
export class CloudProject {
  cloud!: Emulator;
  target: object = {};
  protect = false;
  api!: CloudApi;
  private folder = "";
  private env: NodeJS.ProcessEnv = {};

  constructor(private readonly subject: Subject) {}

  async open(options: Partial<EmulatorOptions> = {}): Promise<void> {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-hcloud-"));
    this.cloud = await startEmulator({ folder: path.join(this.folder, "cloud"), backend: "paper", ...options });
    this.api = new CloudApi({ token: this.cloud.token, endpoint: this.cloud.endpoint });
    for (const shared of ["components", "node_modules", "tsconfig.json", "package.json"]) {
      fs.symlinkSync(path.join(root, shared), path.join(this.folder, shared));
    }
    const runtime = "runtime: { name: nodejs, options: { typescript: true } }";
    fs.writeFileSync(path.join(this.folder, "Pulumi.yaml"), `name: groundwork\nmain: index.ts\n${runtime}\n`);
    fs.writeFileSync(
      path.join(this.folder, "index.ts"),
      `export * from ${JSON.stringify(path.join(__dirname, "program"))};\n`,
    );
    const state = path.join(this.folder, "state");
    fs.mkdirSync(state);
    this.env = {
      ...(await surroundings(this.subject)),
      ...{ PULUMI_BACKEND_URL: `file://${state}`, PULUMI_CONFIG_PASSPHRASE: "test" },
      // The engine has the flag --event-log with it only.
      PULUMI_DEBUG_COMMANDS: "true",
      ...{ HCLOUD_ENDPOINT: this.cloud.endpoint, HCLOUD_TOKEN: this.cloud.token },
    };
    ok(await this.pulumi("stack", "init", "prod"));
  }

  /** Goes on with another plugin. */
  async use(subject: Subject): Promise<void> {
    const { PULUMI_HOME, PATH } = await surroundings(subject);
    Object.assign(this.env, { PULUMI_HOME, PATH });
    // Which stack is selected stands in the engine's home.
    ok(await this.pulumi("stack", "select", "prod"));
  }

  /** Runs the engine to its end. */
  pulumi(...args: string[]): Promise<Ended> {
    return this.start({}, ...args).ended;
  }

  /** Starts the engine, in a group of processes of its own that can be killed at once. */
  start(env: NodeJS.ProcessEnv, ...args: string[]): { ended: Promise<Ended>; child: ChildProcess; kill: () => void } {
    const own = {
      GROUNDWORK_TEST_TARGET: JSON.stringify(this.target),
      GROUNDWORK_TEST_PROTECT: this.protect ? "yes" : "no",
    };
    const child = spawn("pulumi", [...args, "--non-interactive"], {
      cwd: this.folder,
      env: { ...this.env, ...own, ...env },
      detached: true,
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += String(chunk)));
    const ended = new Promise<Ended>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => resolve({ code: code ?? 1, output }));
    });
    return { ended, child, kill: () => process.kill(-child.pid!, "SIGKILL") };
  }

  up(...args: string[]): Promise<Ended> {
    return this.pulumi(...this.upArgs(...args));
  }

  upArgs(...args: string[]): string[] {
    fs.rmSync(this.log, { force: true });
    return ["up", "--yes", "--skip-preview", "--event-log", this.log, ...args];
  }

  /** The errors of the last `up`. */
  errors(): EngineError[] {
    return readErrors(this.log);
  }

  private get log(): string {
    return path.join(this.folder, "events.json");
  }

  /** Names of the objects of a kind that the cloud has now. */
  names(kind: string): string[] {
    const objects = (this.cloud.objects()[kind] ?? []) as { name: string }[];
    return objects.map(({ name }) => name).sort();
  }

  async close(): Promise<void> {
    await this.cloud?.stop();
    await this.cloud?.destroy();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The engine's environment with this plugin. */
async function surroundings({ folder }: Subject): Promise<NodeJS.ProcessEnv> {
  const plugins = folder.startsWith(pulumiHome()) ? "" : path.dirname(folder);
  return engineEnvironment(await ensureToolchain(plainUi, { plugins }));
}
