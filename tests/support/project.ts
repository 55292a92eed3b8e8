import * as assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { ensureToolchain } from "../../cli/artifacts";
import { engineEnvironment } from "../../cli/engine";
import { root } from "../../cli/paths";
import type { MachineSpec } from "../../components/host/nspawn/plan";

export interface Ended {
  code: number;
  output: string;
}
export interface Target {
  driver: string;
  [key: string]: unknown;
}

const tool = path.join(root, "components", "host", "nspawn", "tool.cjs");

/** A Pulumi project of its own beside the real one, with the program of these tests and the real engine. */
export class Project {
  readonly stack: string;
  readonly folder: string;
  private env: NodeJS.ProcessEnv = {};

  constructor(stack: string) {
    this.stack = stack;
    this.folder = path.join(os.tmpdir(), `groundwork-${stack}-${process.pid}`);
  }

  async open(): Promise<void> {
    fs.mkdirSync(this.folder, { mode: 0o700 });
    for (const shared of ["components", "node_modules", "tsconfig.json"]) {
      fs.symlinkSync(path.join(root, shared), path.join(this.folder, shared));
    }
    fs.copyFileSync(path.join(root, "package.json"), path.join(this.folder, "package.json"));
    const runtime = "runtime: { name: nodejs, options: { typescript: true } }";
    fs.writeFileSync(path.join(this.folder, "Pulumi.yaml"), `name: groundwork-e2e\nmain: index.ts\n${runtime}\n`);
    fs.writeFileSync(
      path.join(this.folder, "index.ts"),
      `export * from ${JSON.stringify(path.join(root, "tests", "e2e", "hosts-program"))};\n`,
    );
    const toolchain = await ensureToolchain();
    const state = path.join(this.folder, "state");
    fs.mkdirSync(path.join(state, "backend"), { recursive: true });
    this.env = {
      ...engineEnvironment(toolchain),
      ...{
        GROUNDWORK_STATE_DIR: state,
        PULUMI_BACKEND_URL: `file://${state}/backend`,
        PULUMI_CONFIG_PASSPHRASE: "e2e",
      },
    };
    assert.equal((await this.pulumi({}, "stack", "init", this.stack)).code, 0);
  }

  /** Runs the engine to its end. */
  pulumi(env: NodeJS.ProcessEnv, ...args: string[]): Promise<Ended> {
    return this.start(env, ...args).ended;
  }

  /** Starts the engine, in a group of processes of its own that can be killed at once. */
  start(env: NodeJS.ProcessEnv, ...args: string[]): { ended: Promise<Ended>; kill: () => void } {
    const options = { cwd: this.folder, env: { ...this.env, ...env }, detached: true };
    const child = spawn("pulumi", [...args, "--non-interactive"], options);
    const ended: Ended = { code: 1, output: "" };
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => (ended.output += chunk.toString()));
    }
    const over = new Promise<Ended>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => resolve({ ...ended, code: code ?? 1 }));
    });
    return { ended: over, kill: () => process.kill(-child.pid!, "SIGKILL") };
  }

  async up(target: Target, env: NodeJS.ProcessEnv = {}, ...args: string[]): Promise<void> {
    const all = { GROUNDWORK_E2E_TARGET: JSON.stringify(target), ...env };
    const done = await this.pulumi(all, "up", "--yes", "--skip-preview", ...args);
    assert.equal(done.code, 0, done.output.slice(-4000));
  }

  async destroy(): Promise<void> {
    const done = await this.pulumi({}, "destroy", "--yes", "--skip-preview");
    assert.equal(done.code, 0, done.output.slice(-4000));
  }

  machineTool(...args: string[]) {
    return spawnSync(process.execPath, [tool, ...args], { env: this.env, encoding: "utf8", maxBuffer: 1 << 26 });
  }

  /** Makes a machine by the tool alone, as one that existed before the stack. */
  makeMachine(spec: MachineSpec): void {
    const env = { ...this.env, GROUNDWORK_MACHINE: JSON.stringify(spec) };
    const done = spawnSync(process.execPath, [tool, "ensure"], { env, encoding: "utf8" });
    assert.equal(done.status, 0, done.stderr);
  }

  /** What a command inside a machine prints. */
  inside(machine: string, ...command: string[]): string {
    return this.machineTool("exec", "--stack", this.stack, machine, "--", ...command).stdout.trim();
  }

  close(): void {
    for (const { id } of JSON.parse(this.machineTool("ls", "--json").stdout) as { id: string }[]) {
      this.machineTool("delete", id);
    }
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}
