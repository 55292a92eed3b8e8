import { ChildProcess, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

const here = path.resolve(__dirname, "..", "..");

/** How a command of the project ended. */
export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/**
 * The project's own commands on a state directory of the test's, so that a stack of the user's on the same
 * machine is never touched. The artefact cache is shared.
 */
export class Groundwork {
  readonly stateDir: string;
  readonly stack: string;
  /** What the commands get in their environment besides. */
  readonly extraEnv: NodeJS.ProcessEnv = {};

  /** @param root the checkout whose commands are run @default the one of this file */
  constructor(
    stack: string,
    readonly root = here,
  ) {
    this.stack = stack;
    this.stateDir = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-state-"));
  }

  get env(): NodeJS.ProcessEnv {
    const { PULUMI_BACKEND_URL: _backend, PULUMI_CONFIG_PASSPHRASE: _passphrase, ...rest } = process.env;
    return { ...rest, GROUNDWORK_STATE_DIR: this.stateDir, GROUNDWORK_STACK: this.stack, ...this.extraEnv };
  }

  /** Starts a verb in a process group of its own, so that it can be killed with all that it started. */
  start(verb: string, ...args: string[]): ChildProcess {
    return spawn(process.execPath, [path.join(this.root, "cli", "bootstrap.cjs"), verb, ...args], {
      cwd: this.root,
      env: this.env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  /** Runs a verb to its end. */
  run(verb: string, ...args: string[]): Promise<Ended> {
    return this.ended(this.start(verb, ...args));
  }

  /** Runs a verb to its end with a text on its standard input. */
  feed(input: string, verb: string, ...args: string[]): Promise<Ended> {
    const child = spawn(process.execPath, [path.join(this.root, "cli", "bootstrap.cjs"), verb, ...args], {
      cwd: this.root,
      env: this.env,
      stdio: "pipe",
    });
    child.stdin.end(input);
    return this.ended(child);
  }

  private ended(child: ChildProcess): Promise<Ended> {
    const ended: Ended = { code: 1, stdout: "", stderr: "" };
    child.stdout?.on("data", (chunk: Buffer) => (ended.stdout += chunk.toString()));
    child.stderr?.on("data", (chunk: Buffer) => (ended.stderr += chunk.toString()));
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => resolve({ ...ended, code: code ?? 1 }));
    });
  }

  /** Runs a command on the stack's first machine and returns what it printed. */
  onMachine(machine: string, ...command: string[]): Ended {
    const tool = path.join(this.root, "components", "host", "nspawn", "tool.cjs");
    const done = spawnSync(process.execPath, [tool, "exec", "--stack", this.stack, machine, "--", ...command], {
      cwd: this.root,
      env: this.env,
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    return { code: done.status ?? 1, stdout: done.stdout, stderr: done.stderr };
  }

  /** All files of the state directory, machines' file systems left out. */
  stateFiles(): string[] {
    const found: string[] = [];
    const walk = (folder: string) => {
      for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
        const full = path.join(folder, entry.name);
        if (entry.isDirectory() && full !== path.join(this.stateDir, "machines")) walk(full);
        else if (entry.isFile()) found.push(full);
      }
    };
    walk(this.stateDir);
    return found;
  }

  /** Deletes the state directory; only after a destroy. */
  forget(): void {
    fs.rmSync(this.stateDir, { recursive: true, force: true });
  }
}
