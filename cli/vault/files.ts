import * as fs from "node:fs";
import * as path from "node:path";
import { stateFolder } from "../paths";
import { UserError } from "../ui";

/** What is handed over: everything that gets a stack's Vaults back. */
export interface HandedOver {
  stack: string;
  handedOver: string;
  /** So many of the keys make a root token, or new keys. */
  threshold: number;
  /** Recovery keys of the primary, base64. */
  recoveryKeys: string[];
  /** Private key of `pki-root`, PEM; undefined where it was not kept. */
  rootCaKey?: string;
  /** The bootstrap Vault: its unseal key, and its data as of the hand-over, base64. */
  bootstrap: { unsealKey: string; snapshot?: string; taken?: string };
}

/** Where a stack's files of Vault are: below the state directory, for their owner only. */
export const vaultFolder = (stack: string): string => stateFolder("vault", stack);
export const keysFile = (stack: string): string => path.join(vaultFolder(stack), "recovery-keys.json");
export const rootTokenFile = (stack: string): string => path.join(vaultFolder(stack), "root-token");

/** Writes a secret for its owner only, so that it is on the disk when this returns. */
export function writeSecretFile(file: string, content: string | Buffer): void {
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.tmp`;
  const handle = fs.openSync(temporary, "w", 0o600);
  try {
    fs.writeFileSync(handle, content);
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
  fs.renameSync(temporary, file);
}

/** Sets an existing file aside under the time at which that is done. */
export function keepOld(file: string): void {
  if (!fs.existsSync(file)) return;
  const stamp = new Date().toISOString().replace(/[:.]/g, "-");
  fs.renameSync(file, file.replace(/(\.json)?$/, `-${stamp}$1`));
}

/** What was handed over. @throws UserError where the file is missing or others may read it */
export function readKeys(stack: string, file = keysFile(stack)): HandedOver {
  if (!fs.existsSync(file)) {
    throw new UserError(
      `the recovery keys of ${stack} were handed over, and ${file} is not there: bring it back first`,
    );
  }
  if ((fs.statSync(file).mode & 0o077) !== 0) {
    throw new UserError(`${file} can be read by others: \`chmod 600 ${file}\`, and think about who has`);
  }
  try {
    const keys = JSON.parse(fs.readFileSync(file, "utf8")) as HandedOver;
    if (!Array.isArray(keys.recoveryKeys)) throw new Error("it has no recoveryKeys");
    return keys;
  } catch (error) {
    throw new UserError(`${file} is no file of recovery keys: ${(error as Error).message}`);
  }
}
