import * as fs from "node:fs";
import { readArguments } from "../arguments";
import { HttpsClient } from "../http";
import { KubeClient } from "../kube/client";
import { reason, StateLog } from "../log";
import { sleep } from "../loop";
import { VaultClient, VaultError } from "../vault/client";
import { applyDocument } from "./apply";
import { loginAs, setUpWithRoot, writeKeeper } from "./base";
import { documentSchema, parseJson, Platform, platformSchema } from "./document";
import { ensureInitialised, FatalError } from "./initialise";
import { ensureMounts } from "./mounts";
import { ensureAuthorities } from "./pki";

/** Seconds for which something that may pass is tried again; the job's own deadline is longer. */
const patience = 480;

/** Initialises Vault where it is told to, and applies a document. Every step can be repeated. */
export async function configure(argv: string[]): Promise<void> {
  const names = readArguments(argv, {
    needed: ["name", "document", "address", "ca", "login"],
    optional: ["platform"],
  });
  const read = (file: string): string => fs.readFileSync(file, "utf8");
  const document = parseJson(documentSchema, read(names.document), names.document);
  const platform = names.platform && parseJson(platformSchema, read(names.platform), names.platform);
  const https = new HttpsClient(names.ca);
  const front = VaultClient.at(names.address, https);
  await patiently(async () => {
    const jwt = read(names.login).trim();
    const vault = platform
      ? await openBase(front, https, new KubeClient(), platform, jwt)
      : await loginAs(front, "keeper", jwt);
    if (!vault) throw new Error("Vault does not let the keeper in");
    await applyDocument(vault, names.name, document);
    await vault.write("auth/token/revoke-self").catch(() => undefined);
  });
}

/** Everything that comes before the first document. */
async function openBase(front: VaultClient, https: HttpsClient, kube: KubeClient, platform: Platform, jwt: string) {
  const nodes = platform.nodes.map((address) => VaultClient.at(address, https));
  const recovery = await ensureInitialised(nodes, kube, platform);
  if (recovery.rootToken || !(await loginAs(front, "keeper", jwt))) {
    await setUpWithRoot(front, kube, platform, recovery);
  }
  const vault = await loginAs(front, "keeper", jwt);
  if (!vault) throw new Error("Vault does not let the keeper in yet");
  await writeKeeper(vault, platform);
  await ensureMounts(vault);
  const root = await ensureAuthorities(vault, kube, platform);
  await kube.writeConfigMap(platform.authority, { "ca.crt": root });
  return vault;
}

/** Tries again what may pass: a server that starts, an election, a database that is not there yet. */
export async function patiently(attempt: () => Promise<void>, seconds = patience, pause = 1): Promise<void> {
  const state = new StateLog(20);
  const started = performance.now();
  for (;;) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (error instanceof FatalError || isMistake(error)) throw error;
      if (performance.now() - started > seconds * 1000) throw error;
      state.say("not yet", { reason: reason(error) });
      await sleep(pause);
    }
  }
}

/** What Vault will refuse the next time, too. Database logins are tried while a 400 is answered: they may be late. */
function isMistake(error: unknown): boolean {
  return error instanceof VaultError && error.status === 400 && !/database\/config/.test(error.message);
}
