import * as fs from "node:fs";
import * as path from "node:path";
import { stateDir } from "../paths";
import { UserError } from "../ui";

/**
 * The passphrase of the stacks' secrets, from where the engine has it; backups are encrypted with it, too. Never makes one:
 * a backup, or a restore, with another passphrase than the stack's would be of no use.
 */
export function readPassphrase(): string {
  const given = process.env["PULUMI_CONFIG_PASSPHRASE"];
  if (given !== undefined) return refuseEmpty(given, "PULUMI_CONFIG_PASSPHRASE");
  const file = process.env["PULUMI_CONFIG_PASSPHRASE_FILE"] ?? path.join(stateDir(), "passphrase");
  if (!fs.existsSync(file)) {
    throw new UserError(
      `there is no passphrase: put the stack's into ${file} (mode 0600), as it was when the backup was taken`,
    );
  }
  return refuseEmpty(fs.readFileSync(file, "utf8").trim(), file);
}

function refuseEmpty(passphrase: string, where: string): string {
  if (passphrase === "") throw new UserError(`the passphrase in ${where} is empty`);
  return passphrase;
}
