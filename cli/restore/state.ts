import * as fs from "node:fs";
import * as path from "node:path";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { type BackupStore, decrypted, keyOf } from "../../components/backup";
import type { Settings } from "../../stacks/settings";
import { exportState } from "../backup/take";
import type { Manifest } from "../backup/manifest";
import type { Engine } from "../engine";
import { stateFolder, writeAtomically } from "../paths";
import { forgetOutputs } from "../stack";
import { say, UserError } from "../ui";
import { type Checkpoint, forAnotherStack, fromCloud, isServer, knowsCluster, withoutCluster } from "./former-state";
import { removeLocalMachines } from "./machines";
import { formerStateFile } from "./progress";

/** A part of a backup, decrypted. */
export async function readPart(store: BackupStore, { stack, id, key }: Manifest, name: string): Promise<Buffer> {
  return buffer(decrypted(key, await store.get(keyOf(stack, id, `${name}.age`))));
}

/** Whether the backend has a state of this stack that knows a cluster. */
export async function ownCluster(engine: Engine, stack: string): Promise<boolean> {
  if (!(await engine.exists(stack))) return false;
  return knowsCluster(JSON.parse(await exportState(engine, stack)) as Checkpoint);
}

/** Where a state is found that is not in the backend: in a backup of this stack, or of the one that it stands by for. */
export interface KeptState {
  of: string;
  read: () => Promise<Buffer>;
}

/**
 * Has the backend know the stack's keys and passwords, and nothing that runs. They come from the backend where it has the
 * stack, else from the backup. What the backend had is kept beside.
 */
export async function forgetCluster(engine: Engine, stack: string, settings: Settings, kept: KeptState): Promise<void> {
  const own = (await engine.exists(stack)) ? await exportState(engine, stack) : undefined;
  // An empty stack, as a run that was ended early leaves it, knows nothing.
  const known = own !== undefined && ((JSON.parse(own) as Checkpoint).deployment.resources ?? []).length > 1;
  if (known) {
    const file = formerStateFile(stack);
    writeAtomically(file, own, 0o600);
    say(`the state of before is kept: ${file}`);
  }
  const checkpoint = withoutCluster(known ? (JSON.parse(own) as Checkpoint) : await fromBackup(stack, kept));
  const gone = removeLocalMachines(stack, settings.target.driver);
  if (gone.length > 0) say(`taken away what was left of ${gone.join(", ")}`);
  forgetOutputs(stack);
  await engine.prepare(stack);
  await importState(engine, stack, checkpoint);
  // The state's secrets are encrypted with the salt that it came with.
  fs.rmSync(path.join(stateFolder("project"), `Pulumi.${stack}.yaml`), { force: true });
  await askCloud(engine, stack, await engine.prepare(stack), checkpoint);
}

async function fromBackup(stack: string, { of, read }: KeptState): Promise<Checkpoint> {
  const text = gunzipSync(await read()).toString("utf8");
  return of === stack ? (JSON.parse(text) as Checkpoint) : forAnotherStack(JSON.parse(text) as Checkpoint, of, stack);
}

async function importState(engine: Engine, stack: string, checkpoint: Checkpoint): Promise<void> {
  const file = path.join(stateFolder("restore"), `.state-${stack}.json`);
  writeAtomically(file, JSON.stringify(checkpoint), 0o600);
  const imported = await engine.run(["stack", "import", "--stack", stack, "--file", file]);
  fs.rmSync(file, { force: true });
  if (imported.code !== 0) throw new UserError(`the state can't be brought in: ${imported.stderr.trim()}`);
}

/** What the cloud has not any more leaves the state; what it still has is found again and not paid twice. */
async function askCloud(engine: Engine, stack: string, config: string, { deployment }: Checkpoint): Promise<void> {
  if (!(deployment.resources ?? []).some(fromCloud)) return;
  const args = ["refresh", "--stack", stack, "--yes", "--skip-preview", "--non-interactive"];
  const { code, stderr, stdout } = await engine.run(engine.defaults(args, config));
  if (code !== 0)
    throw new UserError(`the cloud can't be asked what is left: ${(stderr || stdout).trim().slice(-1000)}`);
}

/** Machines that the cloud still has, which are made anew with nothing on them. */
export async function remainingServers(engine: Engine, stack: string): Promise<string[]> {
  const { deployment } = JSON.parse(await exportState(engine, stack)) as Checkpoint;
  return (deployment.resources ?? []).filter(isServer).map(({ urn }) => urn);
}
