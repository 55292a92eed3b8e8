import { ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";
import type { Parts } from "../artifacts/types";
import { type Choice, choiceOfState, type StateResource } from "../components/host/choice";
import { packConfig } from "../policies/config";
import { checkStackFile, packSettings } from "../stacks/settings";
import { dropBrokenSidecars, releaseStaleLock } from "./locks";
import { forgetChoice, keptChoice, mustChoose, settledText } from "./target";
import { passphraseFile, root, stateDir, stateFolder, writeAtomically } from "./paths";

/** The Pulumi CLI with its home folder, as the artefact cache gives it. */
export interface Toolchain {
  cli: string;
  pulumiHome: string;
  parts: Record<string, Parts>;
}

/** How one engine command ended and, where it was captured, what it printed. */
export interface EngineResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** `inherit` shows the engine's own output; `capture` returns it. Default `capture`. */
  output?: "inherit" | "capture";
  /** Besides the screen, append the output to this file. */
  log?: string;
  env?: NodeJS.ProcessEnv;
}

/** Commands that read a stack's configuration and so get the effective configuration file. */
const configured = new Set(["up", "update", "preview", "pre", "destroy", "down", "dn", "refresh", "import", "watch"]);
/** Commands in which the policy pack has a say. */
const policed = new Set(["up", "update", "preview", "pre"]);

/**
 * The environment in which the engine and all that it starts run. A backend or passphrase that the user has
 * set wins, so that a team can keep its state where it likes.
 */
export function engineEnvironment(toolchain: Toolchain): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env };
  env["PULUMI_HOME"] = toolchain.pulumiHome;
  env["PATH"] = `${path.dirname(toolchain.cli)}${path.delimiter}${env["PATH"] ?? ""}`;
  env["PULUMI_BACKEND_URL"] ??= `file://${stateFolder("backend")}`;
  if (env["PULUMI_CONFIG_PASSPHRASE"] === undefined) env["PULUMI_CONFIG_PASSPHRASE_FILE"] ??= passphraseFile();
  env["PULUMI_NODEJS_TRANSPILE_ONLY"] ??= "true"; // types are checked by `npm test`, once
  env["PULUMI_SKIP_UPDATE_CHECK"] = "true";
  env["PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS"] ??= "true"; // halves the writes of the file backend
  if (Object.values(toolchain.parts).includes("stand-in")) {
    env["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true";
  }
  return env;
}

/** The stack that a command line names by `--stack X`, `--stack=X` or `-s X`; undefined where it names none. */
export function stackOf(args: readonly string[]): string | undefined {
  for (const [i, arg] of args.entries()) {
    if (arg === "--stack" || arg === "-s") return args[i + 1];
    if (arg.startsWith("--stack=")) return arg.slice("--stack=".length);
  }
  return undefined;
}

/**
 * What is added to a Pulumi command line of the user's: the effective configuration and the policy pack with its own
 * configuration, each unless the line has its own.
 */
export function withProjectDefaults(
  args: readonly string[],
  effectiveConfig: string | undefined,
  policyConfig?: string,
): string[] {
  const verb = args.find((arg) => !arg.startsWith("-")) ?? "";
  const has = (flag: string) => args.some((arg) => arg === flag || arg.startsWith(`${flag}=`));
  const added: string[] = [];
  if (configured.has(verb) && effectiveConfig && !has("--config-file")) added.push("--config-file", effectiveConfig);
  if (policed.has(verb) && !has("--policy-pack")) {
    added.push("--policy-pack", path.join(root, "policies"));
    if (policyConfig && !has("--policy-pack-config")) added.push("--policy-pack-config", policyConfig);
  }
  return [...args, ...added];
}

/** What a killed engine left unfinished. */
interface PendingOperation {
  type: string;
  resource: { type: string };
}

/** What is read of a stack's checkpoint. */
interface Checkpoint {
  deployment?: {
    secrets_providers?: { state?: { salt?: string } };
    pending_operations?: PendingOperation[];
    resources?: StateResource[];
  };
}

/** Types whose creation can be done again whether it had happened or not. */
const repeatable = /^(kubernetes|command|random|tls):/;

/** The Pulumi engine on this project's stacks. */
export class Engine {
  readonly toolchain: Toolchain;
  readonly env: NodeJS.ProcessEnv;
  /** Where the effective configurations stand: they belong to the backend, for each carries the salt of its stack. */
  private readonly projectFolder: string;
  private running: ChildProcess | undefined;

  /** @param overrides environment of a backend other than the state directory's, with a folder for its configurations */
  constructor(toolchain: Toolchain, overrides?: { env: NodeJS.ProcessEnv; projectFolder: string }) {
    this.toolchain = toolchain;
    this.env = { ...engineEnvironment(toolchain), ...overrides?.env };
    this.projectFolder = overrides?.projectFolder ?? stateFolder("project");
    dropBrokenSidecars(this.env["PULUMI_BACKEND_URL"] ?? "");
  }

  /** Ends the command that runs, for tests of what follows. False when none runs. */
  kill(signal: NodeJS.Signals): boolean {
    return this.running?.kill(signal) ?? false;
  }

  /** The user's or a verb's command line with the effective configuration and the policy pack added. */
  defaults(args: readonly string[], effectiveConfig: string | undefined): string[] {
    const stack = stackOf(args);
    const policies = stack === undefined ? undefined : this.policyConfigFile(stack);
    return withProjectDefaults(args, effectiveConfig, policies && fs.existsSync(policies) ? policies : undefined);
  }

  private policyConfigFile(stack: string): string {
    return path.join(this.projectFolder, `policies-${stack}.json`);
  }

  /** Writes what the stack's settings say of the policy pack in the form that the engine takes. */
  private writePolicyConfig(stack: string): void {
    const { settings } = checkStackFile(path.join(root, `Pulumi.${stack}.yaml`));
    if (settings) writeAtomically(this.policyConfigFile(stack), JSON.stringify(packConfig(packSettings(settings))));
  }

  /** Whether the command runs the program, which then reads the artefact cache. */
  needsProgram(args: readonly string[]): boolean {
    return configured.has(args.find((arg) => !arg.startsWith("-")) ?? "");
  }

  /** Forgets an empty stack with its history and its effective configuration. */
  async removeStack(stack: string): Promise<void> {
    const removed = await this.run(["stack", "rm", stack, "--yes", "--non-interactive", "--preserve-config"]);
    if (removed.code !== 0) throw new Error(removed.stderr.trim());
    fs.rmSync(path.join(this.projectFolder, `Pulumi.${stack}.yaml`), { force: true });
    fs.rmSync(this.policyConfigFile(stack), { force: true });
    forgetChoice(stack, this.projectFolder);
  }

  /** Runs one Pulumi command to its end. Ctrl-C reaches the engine, which then stops in an orderly way. */
  run(args: readonly string[], options: RunOptions = {}): Promise<EngineResult> {
    const capture = options.output !== "inherit";
    return new Promise((resolve, reject) => {
      const child = spawn(this.toolchain.cli, args, {
        cwd: root,
        env: { ...this.env, ...options.env },
        stdio: capture || options.log ? ["inherit", "pipe", "pipe"] : "inherit",
      });
      this.running = child;
      const log = options.log ? fs.createWriteStream(options.log, { flags: "a", mode: 0o600 }) : undefined;
      const result: EngineResult = { code: 1, stdout: "", stderr: "" };
      const collect = (stream: "stdout" | "stderr") => (chunk: Buffer) => {
        if (capture) result[stream] += chunk.toString("utf8");
        else process[stream].write(chunk);
        log?.write(chunk);
      };
      child.stdout?.on("data", collect("stdout"));
      child.stderr?.on("data", collect("stderr"));
      // The terminal sends Ctrl-C to the whole process group, so the engine has it already: wait for its end.
      const wait = () => undefined;
      const pass = () => child.kill("SIGINT");
      process.on("SIGINT", wait);
      process.on("SIGTERM", pass);
      child.on("error", reject);
      child.on("close", (code, signal) => {
        process.off("SIGINT", wait);
        process.off("SIGTERM", pass);
        log?.end();
        this.running = undefined;
        resolve({ ...result, code: code ?? (signal ? 130 : 1) });
      });
    });
  }

  /** Runs a command whose output is JSON. Throws an error with the engine's words when it fails. */
  async json<T>(args: readonly string[]): Promise<T> {
    const result = await this.run([...args, "--json"]);
    if (result.code !== 0) throw new Error((result.stderr || result.stdout).trim());
    return JSON.parse(result.stdout) as T;
  }

  /** Whether the backend has the stack. */
  async exists(stack: string): Promise<boolean> {
    const stacks = await this.json<{ name: string }[]>(["stack", "ls"]);
    return stacks.some((entry) => entry.name === stack || entry.name.endsWith(`/${stack}`));
  }

  /**
   * Makes the stack unless it exists, and returns the path of its effective configuration: the file of the
   * checkout plus the salt of this state directory's passphrase. The salt belongs to one state directory, so
   * it stays out of the checkout. A file that carries a salt of its own is used as it is, unless it leaves the driver of its machines
   * open: then what was chosen stands in the effective configuration, so that every command and the program itself go by the same.
   * @param choice what was chosen just now; what the stack was made with when missing
   */
  async prepare(stack: string, choice?: Choice): Promise<string> {
    const tracked = path.join(root, `Pulumi.${stack}.yaml`);
    const text = fs.readFileSync(tracked, "utf8");
    const ownSalt = (parse(text) as { encryptionsalt?: string } | null)?.encryptionsalt !== undefined;
    const project = this.projectFolder;
    this.writePolicyConfig(stack);
    const effective = path.join(project, `Pulumi.${stack}.yaml`);
    writeAtomically(path.join(project, "Pulumi.yaml"), fs.readFileSync(path.join(root, "Pulumi.yaml"), "utf8"));
    if (!(await this.exists(stack))) {
      fs.rmSync(effective, { force: true });
      const made = await this.run(["-C", ownSalt ? root : project, "stack", "init", stack, "--non-interactive"]);
      if (made.code !== 0) throw new Error(`the stack ${stack} could not be made: ${made.stderr.trim()}`);
    }
    const settled = mustChoose(stack) ? settledText(text, choice ?? (await this.choiceOf(stack))) : text;
    if (ownSalt && settled === text) return tracked;
    const salt = ownSalt ? "" : `encryptionsalt: ${await this.salt(effective, stack)}\n`;
    writeAtomically(effective, `${settled.trimEnd()}\n${salt}`, 0o600);
    return effective;
  }

  /** What the stack's machines were made with: as it was kept or, where that was lost, by its state. */
  async choiceOf(stack: string): Promise<Choice | undefined> {
    const kept = keptChoice(stack, this.projectFolder);
    if (kept || this.env["GROUNDWORK_REHEARSAL"] || !(await this.exists(stack))) return kept;
    return choiceOfState((await this.exportState(stack)).deployment?.resources ?? []);
  }

  /** The stack's checkpoint as the backend has it, with its secrets encrypted. */
  async exportState(stack: string): Promise<Checkpoint> {
    const exported = await this.run(["stack", "export", "--stack", stack]);
    if (exported.code !== 0) throw new Error(exported.stderr.trim());
    return JSON.parse(exported.stdout) as Checkpoint;
  }

  /** The salt from the effective file of the last time or, where that was lost, from the stack's checkpoint. */
  private async salt(effective: string, stack: string): Promise<string> {
    if (fs.existsSync(effective)) {
      const kept = (parse(fs.readFileSync(effective, "utf8")) as { encryptionsalt?: string } | null)?.encryptionsalt;
      if (kept) return kept;
    }
    const { deployment } = await this.exportState(stack);
    const salt = deployment?.secrets_providers?.state?.salt;
    if (!salt)
      throw new Error(`the salt of stack ${stack} is neither in ${effective} nor in its state below ${stateDir()}`);
    return salt;
  }

  /** Removes the lock of an engine that died; throws where one that still runs holds it. */
  async releaseStaleLock(stack: string): Promise<void> {
    releaseStaleLock(this.env["PULUMI_BACKEND_URL"] ?? "", stack);
  }

  /**
   * Forgets creations that a killed engine left unfinished, where doing them again is safe: a command of ours repairs what it
   * finds, the Kubernetes provider takes over what exists, and keys and passwords are only values. Pulumi itself would warn
   * of them for ever. Whatever costs money is not among them and stays for a refresh to look at.
   */
  async forgetRepeatableCreates(stack: string): Promise<void> {
    const state = await this.exportState(stack);
    const pending = state.deployment?.pending_operations ?? [];
    const kept = pending.filter(({ type, resource }) => type !== "creating" || !repeatable.test(resource.type));
    if (!state.deployment || kept.length === pending.length) return;
    state.deployment.pending_operations = kept;
    await this.importState(stack, state);
  }

  /** Puts a checkpoint that was exported and changed in the place of the stack's own. */
  async importState(stack: string, state: object): Promise<void> {
    const file = path.join(this.projectFolder, `.state-${stack}.json`);
    writeAtomically(file, JSON.stringify(state), 0o600);
    const imported = await this.run(["stack", "import", "--stack", stack, "--file", file]);
    fs.rmSync(file, { force: true });
    if (imported.code !== 0) throw new Error(imported.stderr.trim());
  }
}
