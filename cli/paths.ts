import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { randomBytes } from "node:crypto";

/** The checkout's root. */
export const root = path.resolve(__dirname, "..");

/** Content-addressed artefacts and the engine's plugins; may be deleted at any time. Default `~/.cache/groundwork`. */
export function cacheDir(): string {
  return process.env["GROUNDWORK_CACHE_DIR"] ?? path.join(os.homedir(), ".cache", "groundwork");
}

/** What must not be lost: passphrase, Pulumi state, machines, logs. Default `~/.local/state/groundwork`. */
export function stateDir(): string {
  return process.env["GROUNDWORK_STATE_DIR"] ?? path.join(os.homedir(), ".local", "state", "groundwork");
}

/** A folder below the state directory, made with mode 0700 when it is missing. */
export function stateFolder(...parts: string[]): string {
  const folder = path.join(stateDir(), ...parts);
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

/** Where the stack's CA certificate is written for clients. */
export const caFile = (stack: string): string => path.join(stateDir(), "ca", `${stack}.pem`);

/** Where the stack's administrator kubeconfig is written, mode 0600. */
export const kubeconfigFile = (stack: string): string => path.join(stateDir(), "kubeconfig", stack);

/** What the last `up` of a stack left for `status`: its outputs without secrets. */
export const summaryFile = (stack: string): string => path.join(stateDir(), "summary", `${stack}.json`);

/**
 * The file that holds the passphrase of the stacks' secrets. Made once, with 256 random bits and mode 0600;
 * the stacks' secrets are lost with it.
 */
export function passphraseFile(): string {
  const file = path.join(stateFolder(), "passphrase");
  try {
    fs.writeFileSync(file, randomBytes(32).toString("base64url") + "\n", { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  return file;
}

/** Writes a file in one step, so that a reader or a crash never meets half of it. */
export function writeAtomically(file: string, content: string, mode = 0o644): void {
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.tmp`;
  fs.writeFileSync(temporary, content, { mode });
  fs.renameSync(temporary, file);
}
