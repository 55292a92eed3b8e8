import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

/** The file's path with a leading `~` resolved. */
export const keyPath = (file: string): string =>
  path.resolve(file.startsWith("~/") ? path.join(os.homedir(), file.slice(2)) : file);

/** Why the file can't be used as a private key, or undefined. */
export function keyProblem(file: string): string | undefined {
  let text: string;
  try {
    text = fs.readFileSync(keyPath(file), "utf8");
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === "ENOENT" ? "does not exist" : "can't be read";
    return `target.privateKeyFile: ${file} ${reason}; name a private key, or leave the setting out to have one made`;
  }
  if (/^-----BEGIN (OPENSSH|RSA|EC|) ?PRIVATE KEY-----/.test(text)) return undefined;
  return `target.privateKeyFile: ${file} holds no private key in OpenSSH or PEM form`;
}

/** The private key in the file. Throws what {@link keyProblem} says. */
export function readPrivateKey(file: string): string {
  const problem = keyProblem(file);
  if (problem !== undefined) throw new Error(problem);
  return fs.readFileSync(keyPath(file), "utf8");
}
