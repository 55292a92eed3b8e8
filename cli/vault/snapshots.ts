import * as fs from "node:fs";
import * as path from "node:path";
import { loginAs } from "../../apps/keeper/src/configure/base";
import { shares } from "../../apps/keeper/src/configure/initialise";
import { checkSnapshot } from "../../apps/keeper/src/snapshot";
import type { VaultClient } from "../../apps/keeper/src/vault/client";
import { ask, say, UserError } from "../ui";
import { AdminCluster, primary } from "./cluster";
import { vaultFolder, writeSecretFile } from "./files";
import { withRoot } from "./keys";

/** The account that may take snapshots, and what its tokens are made for; components/secrets names them. */
const account = "vault-snapshots";
const audience = "vault-keeper";

/** `snapshot [FILE]`: takes one as the account that may do nothing else. */
export async function takeSnapshot(cluster: AdminCluster, stack: string, given?: string): Promise<void> {
  const stamp = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const file = path.resolve(given ?? path.join(vaultFolder(stack), "snapshots", `vault-${stamp}.snap`));
  if (fs.existsSync(file)) throw new UserError(`${file} is there already`);
  const path_ = `/api/v1/namespaces/${primary.namespace}/serviceaccounts/${account}/token`;
  const request = { spec: { audiences: [audience], expirationSeconds: 600 } };
  const { status } = await cluster.api<{ status: { token: string } }>("POST", path_, request);
  const vault = await loginAs(cluster.vault(), "snapshots", status.token);
  if (!vault) throw new UserError("Vault does not let the account of the snapshots in: run `npm run up`");
  const { body } = await vault.raw("GET", "sys/storage/raft/snapshot", undefined, 300_000);
  checkSnapshot(body);
  writeSecretFile(file, body);
  say(`snapshot: ${file} (${Math.ceil(body.length / 1024)} KiB, whole)`);
}

/** `restore FILE`: what Vault holds now is replaced by what it held then. */
export async function restoreSnapshot(
  cluster: AdminCluster,
  stack: string,
  given: string | undefined,
  yes: boolean,
): Promise<void> {
  if (!given) throw new UserError("say which: npm run vault -- restore FILE");
  if (!fs.existsSync(given)) throw new UserError(`there is no file ${given}`);
  const archive = fs.readFileSync(given);
  try {
    checkSnapshot(archive);
  } catch (error) {
    throw new UserError(`${given}: ${(error as Error).message}`);
  }
  if (!yes && (await ask(`Everything in Vault of ${stack} is replaced. Type the stack's name to go on: `)) !== stack) {
    throw new UserError("nothing was changed");
  }
  const vault = cluster.vault();
  const load = (root: VaultClient) => root.raw("POST", "sys/storage/raft/snapshot-force", archive, 300_000);
  const { initialized } = await vault.health();
  if (initialized) {
    await withRoot(cluster, stack, load);
  } else {
    // The data was lost. The keys of this empty Vault go with it: the snapshot has those that were handed over.
    const { root_token: token } = await vault.request("PUT", "sys/init", shares, 60_000);
    await retry(() => load(vault.as(token as string)));
  }
  await retry(async () => {
    const health = await vault.health();
    if (!health.initialized || health.sealed) throw new Error("sealed");
  });
  say("restored; Vault has unsealed itself. Its recovery keys are those of the time of the snapshot.");
}

/** Up to a minute: the servers load the data, and elect a leader. */
async function retry(attempt: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (tries >= 60) throw new UserError(`Vault is not back: ${(error as Error).message}`);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}
