import * as fs from "node:fs";
import type { Settings } from "../stacks/settings";
import { costSchema } from "../stacks/cost/settings";
import { KubeClient } from "./access/api";
import { cloudAccess, isCloud, openCloud, settingsIfRight } from "./cloud/access";
import type { CloudApi } from "./cloud/api";
import { recoverCloud } from "./cloud/recover";
import { drainCluster } from "./cloud/drain";
import { liftLocks } from "./cloud/locks";
import { deleteOrphans, findOrphans, orphanTable } from "./cloud/orphans";
import { forgetRecord, readRecord } from "./cloud/record";
import { idsInState } from "./cloud/state";
import { Engine } from "./engine";
import { loginOf } from "./kube";
import { kubeconfigFile } from "./paths";
import { openEngine } from "./prepare";
import { readPrices } from "./preview";
import { chosenStack, forgetOutputs } from "./stack";
import { ask, logFile, say, step, UserError } from "./ui";
import { silent, type VerbOptions } from "./up";

export interface DestroyOptions extends VerbOptions {
  /** The stack's name, for scripts: what a person would type. */
  confirm?: string;
}

/**
 * `npm run destroy`: removes what `up` made, and nothing else. A stack with `protect` goes only by its name, typed or as `--confirm NAME`.
 * Exit code 2 where something that was the stack's is left in the cloud.
 */
export async function destroy(options: DestroyOptions): Promise<number> {
  const stack = chosenStack(options.stack);
  refusePart(stack, options.rest ?? []);
  const settings = settingsIfRight(stack);
  // A file that can't be read protects: it may have said so.
  const isProtected = settings?.protect ?? true;
  const engine = await openEngine();
  if (!(await engine.exists(stack))) {
    say(`stack ${stack} does not exist: nothing to destroy`);
    if (readRecord(stack)) say(`what its cluster may have left: npm run orphans -- --stack ${stack}`);
    return 0;
  }
  await confirm(stack, isProtected, options);
  await engine.releaseStaleLock(stack);
  const config = await engine.prepare(stack);
  const api = await cloudOf(stack, settings, engine, config);
  if (api) await recoverCloud(engine, stack, { config, next: "destroy" });
  if (api) await drain(stack, api, engine);
  if (isProtected) await unlock(stack, engine, api);
  if (api) await takeBalancers(stack, api, engine, settings);
  const log = logFile(`destroy-${stack}`);
  const args = ["destroy", "--stack", stack, "--yes", "--skip-preview", "--non-interactive", ...(options.rest ?? [])];
  const { code } = await step(
    `destroy ${stack}`,
    () => engine.run(engine.defaults(args, config), { output: "inherit", log }),
    { log },
  );
  if (code !== 0) {
    say(`destroy of ${stack} did not finish: mend the cause above and run the same command again.`);
    return 1;
  }
  const left = api ? await sweep(stack, api, settings) : 0;
  forgetOutputs(stack);
  await engine.removeStack(stack);
  return left > 0 ? 2 : 0;
}

/** Options of the engine's that leave something: then the cluster must not be asked to give back everything. */
const partial = /^(-t|--target|--exclude|--exclude-protected|--preview-only)(=|$)/;

/** Refuses to take a part of a stack: what comes before the engine is for the whole. */
export function refusePart(stack: string, rest: readonly string[]): void {
  const option = rest.find((arg) => partial.test(arg));
  if (option === undefined) return;
  throw new UserError(
    `not destroyed: ${option} leaves a part of the stack, and this command takes the whole. ` +
      `For a part: npx pulumi destroy --stack ${stack} ${rest.join(" ")}`,
  );
}

/** Makes sure that somebody wants this stack to go. */
export async function confirm(stack: string, isProtected: boolean, options: DestroyOptions): Promise<void> {
  if (options.confirm !== undefined) {
    if (options.confirm === stack) return;
    throw new UserError(`not destroyed: --confirm says "${options.confirm}", and the stack is "${stack}"`);
  }
  if (!isProtected && silent(options)) return;
  if (isProtected && silent(options)) {
    throw new UserError(
      `not destroyed: stack ${stack} is protected (groundwork:protect), so its name has to be given, and --yes is not enough: ` +
        `npm run destroy -- --stack ${stack} --confirm ${stack}`,
    );
  }
  if ((await ask(`This deletes stack ${stack} with all its data. Type its name to go on: `)) !== stack) {
    throw new UserError("not destroyed: the name was not given");
  }
}

/** The stack's cloud, where it has one: by its settings or, where those are wrong, by what its state holds. */
async function cloudOf(
  stack: string,
  settings: Settings | undefined,
  engine: Engine,
  config: string,
): Promise<CloudApi | undefined> {
  const inCloud = isCloud(settings) || ((await idsInState(engine, stack))?.size ?? 0) > 0;
  return inCloud ? openCloud(await cloudAccess(stack, { engine, config })) : undefined;
}

/** The cluster gives back balancers and volumes while it can. */
async function drain(stack: string, api: CloudApi, engine: Engine): Promise<void> {
  const kube = await administrator(stack, engine);
  const drained = await drainCluster({ stack, api, kube, tell: say });
  if (drained.services + drained.volumes > 0) {
    say(`given back: ${drained.services} balancers of Services, ${drained.volumes} volumes`);
  }
  for (const left of drained.left) say(`not given back by the cluster: ${left}; looked for in the cloud afterwards`);
}

/** The cluster's administrator, from the file that `up` left or from the stack's outputs. */
export async function administrator(stack: string, engine: Engine): Promise<KubeClient | undefined> {
  const file = kubeconfigFile(stack);
  if (fs.existsSync(file)) return new KubeClient(loginOf(file));
  const output = await engine.run(["stack", "output", "kubeconfig", "--stack", stack, "--show-secrets"]);
  if (output.code !== 0 || output.stdout.trim() === "") return undefined;
  const temporary = `${file}.${process.pid}`;
  try {
    fs.mkdirSync(temporary.slice(0, temporary.lastIndexOf("/")), { recursive: true, mode: 0o700 });
    fs.writeFileSync(temporary, output.stdout, { mode: 0o600 });
    return new KubeClient(loginOf(temporary));
  } catch {
    return undefined; // no cluster was ever made
  } finally {
    fs.rmSync(temporary, { force: true });
  }
}

/** The stack's name was given: the locks that `protect` put on data in the engine and on objects in the cloud have done their work. */
export async function unlock(stack: string, engine: Engine, api: CloudApi | undefined): Promise<void> {
  const done = await engine.run(["state", "unprotect", "--all", "--stack", stack, "--yes"]);
  // An empty state has nothing to unlock, and says so with an error.
  if (done.code !== 0 && !/no resources|snapshot is empty|nil/i.test(done.stderr)) throw new Error(done.stderr.trim());
  const ids = api ? await idsInState(engine, stack) : undefined;
  if (api && ids) await liftLocks(api, ids);
}

const pricesFor = (settings: Settings | undefined) => readPrices(settings?.cost ?? costSchema.parse({}));

/** The cluster's balancers are in the stack's network, which does not go while anything is in it: what the cluster left of them goes first. */
async function takeBalancers(
  stack: string,
  api: CloudApi,
  engine: Engine,
  settings: Settings | undefined,
): Promise<void> {
  const nothing = { services: new Set<string>(), volumes: new Set<number>() };
  const inState = (await idsInState(engine, stack)) ?? new Map<string, Set<string>>();
  const known = { stack, inState, record: readRecord(stack), live: nothing };
  const found = await findOrphans(api, known, pricesFor(settings));
  await deleteOrphans(
    api,
    found.filter(({ kind, ofCluster }) => ofCluster && kind.name === "load balancer"),
    say,
  );
}

/** Deletes what the cluster made and could not give back, and tells what else is left with its price. Gives how much that is. */
async function sweep(stack: string, api: CloudApi, settings: Settings | undefined): Promise<number> {
  const prices = pricesFor(settings);
  const known = { stack, inState: new Map<string, Set<string>>(), record: readRecord(stack) };
  const found = await findOrphans(api, known, prices);
  await deleteOrphans(
    api,
    found.filter(({ ofCluster }) => ofCluster),
    say,
  );
  const left = await findOrphans(api, known, prices);
  say(orphanTable(stack, left, prices));
  if (left.length > 0) say(`to delete them: npm run orphans -- --stack ${stack} --delete`);
  else forgetRecord(stack);
  return left.length;
}
