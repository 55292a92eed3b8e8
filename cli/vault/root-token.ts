import * as fs from "node:fs";
import { VaultError } from "../../apps/keeper/src/vault/client";
import { say, UserError } from "../ui";
import type { AdminCluster } from "./cluster";
import { rootTokenFile, writeSecretFile } from "./files";
import { makeRoot, recoveryKeys } from "./keys";

/** `root-token`: makes one, for what nobody else may do. It has no end of its own. */
export async function rootToken(cluster: AdminCluster, stack: string): Promise<void> {
  const file = rootTokenFile(stack);
  if (fs.existsSync(file)) throw new UserError(`there is a root token already, in ${file}: use it, or add --revoke`);
  const token = await makeRoot(cluster.vault(), await recoveryKeys(cluster, stack));
  writeSecretFile(file, `${token}\n`);
  say(`root token: ${file} (mode 0600)`);
  say("When you are done: `npm run vault -- root-token --revoke`");
}

/** `root-token --revoke`: ends it, then deletes the file. */
export async function revokeRootToken(cluster: AdminCluster, stack: string): Promise<void> {
  const file = rootTokenFile(stack);
  if (!fs.existsSync(file)) throw new UserError(`there is no root token: ${file} does not exist`);
  const root = cluster.vault().as(fs.readFileSync(file, "utf8").trim());
  let known = true;
  await root.write("auth/token/revoke-self").catch((error: unknown) => {
    if (!(error instanceof VaultError && error.status === 403)) throw new UserError((error as Error).message);
    known = false;
  });
  fs.rmSync(file);
  say(known ? "the root token is revoked" : "Vault did not know the token any more; its file is deleted");
}
