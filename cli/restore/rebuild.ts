import type { BackupStore } from "../../components/backup";
import { artifactsOf } from "../../stacks/parts";
import type { Settings } from "../../stacks/settings";
import { ensureArtifacts } from "../artifacts";
import type { Manifest } from "../backup/manifest";
import type { Engine } from "../engine";
import { loginOf } from "../kube";
import { kubeconfigFile } from "../paths";
import { checkMachine, checkSettings, openEngine } from "../prepare";
import { chooseTarget } from "../target";
import { UserError } from "../ui";
import { up } from "../up";
import { openCluster } from "../vault/cluster";
import { upCluster, upQuietly } from "./bring-up";
import { joinVaultToDatabases, putObjects, restoreDatabases, restoreVault, type Target } from "./data";
import type { Progress } from "./progress";
import { forgetCluster, readPart } from "./state";

/** What a stack is rebuilt from. */
export interface Rebuild {
  engine: Engine;
  stack: string;
  settings: Settings;
  store: BackupStore;
  manifest: Manifest;
  progress: Progress;
}

/** What has to hold before anything is changed: parts, this computer or the cloud. @throws UserError with what is missing */
export async function checkGround(stack: string): Promise<{ engine: Engine; settings: Settings }> {
  const engine = await openEngine();
  const settings = checkSettings(stack, await chooseTarget(stack, () => engine.choiceOf(stack)));
  await ensureArtifacts(artifactsOf(settings));
  await checkMachine(stack, settings);
  return { engine, settings };
}

/** From no machine to a stack that serves its data. Each step is noted when it is done, and may be done again. */
export async function rebuild({ engine, stack, settings, store, manifest, progress }: Rebuild): Promise<void> {
  await progress.once("state", () =>
    forgetCluster(engine, stack, settings, { of: manifest.stack, read: () => readPart(store, manifest, "state") }),
  );
  await progress.once("cluster", () => upCluster(stack));
  await putDataBack({ stack, store, manifest, progress });
  await progress.once("serving", async () => {
    if ((await up({ stack, yes: true })) !== 0) throw new UserError(`${stack} has its data back and is not all ready`);
  });
}

/** Fills a cluster that is empty, while nothing in it serves. */
async function putDataBack({ stack, store, manifest, progress }: Omit<Rebuild, "engine" | "settings">): Promise<void> {
  const stop = new AbortController();
  const target: Target = {
    cluster: openCluster(kubeconfigFile(stack), stack),
    login: loginOf(kubeconfigFile(stack)),
    store,
    manifest,
    signal: stop.signal,
  };
  await progress.once("objects", () => putObjects(target));
  const platform = upQuietly(stack, stop.signal);
  const data = Promise.all([
    progress.once("vault", () => restoreVault(target)),
    progress.once("database", () => restoreDatabases(target)),
  ]);
  // What fails first is the cause, and ends the other.
  let cause: { reason: unknown } | undefined;
  data.catch((reason: unknown) => {
    cause ??= { reason };
    stop.abort(reason);
  });
  platform.catch((reason: unknown) => {
    cause ??= { reason };
    stop.abort(reason);
  });
  await Promise.allSettled([platform, data]);
  if (cause) throw cause.reason;
  await progress.once("login", () => joinVaultToDatabases(target));
}
