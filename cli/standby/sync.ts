import type { Settings } from "../../stacks/settings";
import { checkBackup } from "../backup";
import { storeOf } from "../backup/last";
import { readPassphrase } from "../backup/passphrase";
import { loginOf } from "../kube";
import { kubeconfigFile } from "../paths";
import { checkSettings } from "../prepare";
import { findBackup } from "../restore";
import { refuseOlder } from "../restore/compare";
import { joinVaultToDatabases, restoreDatabases, type Target } from "../restore/data";
import { Progress } from "../restore/progress";
import { proveVault } from "../restore/prove";
import { checkGround, rebuild } from "../restore/rebuild";
import { ownCluster } from "../restore/state";
import { say, UserError } from "../ui";
import { openCluster } from "../vault/cluster";
import { lastSync, noteSync } from "./notes";
import { readKept, refreshSealingKeys, refreshVault, refuseOtherSeal, repeatJobs } from "./refresh";

/** The stack that this one stands by for. @throws UserError where it is no standby */
export function primaryStack(stack: string, { standby }: Settings): string {
  if (!standby) throw new UserError(`${stack} is no standby: its file says nothing of groundwork:standby`);
  if (standby.promoted)
    throw new UserError(`${stack} was promoted and serves: a sync would undo what was written since`);
  if (standby.of === stack) throw new UserError(`${stack} can't stand by for itself`);
  return standby.of;
}

/** Newer data into a standby that is there. Between its steps Vault and the databases are of two moments, which is noted first. */
async function refresh(stack: string, from: Pick<Target, "store" | "manifest">): Promise<void> {
  const cluster = openCluster(kubeconfigFile(stack), stack);
  const login = loginOf(kubeconfigFile(stack));
  const target: Target = { cluster, login, ...from, signal: new AbortController().signal };
  const objects = await readKept(target);
  await refuseOtherSeal(cluster, objects);
  const { stack: of, id, taken } = from.manifest;
  noteSync(stack, { of, id, taken, ...lastSync(stack), unfinished: id });
  await refreshSealingKeys(cluster, objects);
  await refreshVault(target, stack, objects);
  await restoreDatabases(target);
  await joinVaultToDatabases(target);
  // Last, for they make Vault log in to the databases, and it can only now.
  await repeatJobs(cluster);
}

/** `standby sync`: the first time from no machine to a filled stack, afterwards the data only. */
export async function sync(stack: string, options: { from?: string; backup?: string }): Promise<number> {
  const given = checkSettings(stack);
  const of = primaryStack(stack, given);
  const began = Date.now();
  const store = storeOf(given.backup, options.from);
  const begun = Progress.of(stack);
  const manifest = await checkBackup(store, await findBackup(store, of, begun?.id ?? options.backup), readPassphrase());
  refuseOlder(manifest);
  const { engine, settings } = await checkGround(stack);
  const there = !begun && (await ownCluster(engine, stack));
  const last = lastSync(stack);
  if (there && last?.id === manifest.id && !last.unfinished) {
    say(`${stack} has ${of} as of ${manifest.taken} already: there is no newer backup`);
    return 0;
  }
  if (!there) {
    const progress = begun ?? Progress.begin(stack, manifest.id, store.place);
    await rebuild({ engine, stack, settings, store, manifest, progress });
    progress.end();
  } else {
    await refresh(stack, { store, manifest });
  }
  const wrong = await proveVault(openCluster(kubeconfigFile(stack), stack), manifest);
  if (wrong.length > 0) throw new UserError(wrong.join("\n"));
  noteSync(stack, { of, id: manifest.id, taken: manifest.taken, ...(manifest.row && { row: manifest.row }) });
  const age = Math.round((Date.now() - Date.parse(manifest.taken)) / 1000);
  process.stdout.write(`${stack} stands by with ${of} as of ${manifest.taken}, ${age} s ago\n`);
  process.stdout.write(`sync: ${Math.round((Date.now() - began) / 1000)} s\n`);
  return 0;
}
