import * as fs from "node:fs";
import { readArguments } from "./arguments";
import { HttpsClient } from "./http";
import { hide, log, reason, StateLog } from "./log";
import { until } from "./loop";
import { readStanza } from "./seal";
import { generationOf, isEmpty, noteGeneration, prepareStore } from "./store";
import { VaultClient } from "./vault/client";

/** Makes the bootstrap Vault's folder. */
export function prepare(argv: string[]): void {
  prepareStore(readArguments(argv, { needed: ["store"] }).store);
}

/** Whether the Transit key can be used with the stanza's token. @throws where it can not, with the reason */
export async function tryTransit(hcl: string): Promise<void> {
  const seal = readStanza(hcl);
  const vault = VaultClient.at(seal.address, new HttpsClient(seal.caFile));
  vault.token = hide(seal.token);
  const probe = Buffer.from("probe").toString("base64");
  await vault.write(`${seal.mount}/encrypt/${seal.key}`, { plaintext: probe });
}

/**
 * Holds the primary's server back until the bootstrap Vault can unseal it: a server that starts earlier ends, and the
 * longer this goes on the longer the kubelet waits before it tries again.
 */
export async function wait(argv: string[]): Promise<void> {
  const names = readArguments(argv, { needed: ["seal", "store", "generation"] });
  prepareStore(names.store);
  // A volume that begins now has nothing to do with initialisations that were given up before.
  if (isEmpty(names.store) && fs.existsSync(names.generation)) {
    const current = Number(fs.readFileSync(names.generation, "utf8"));
    if (current > generationOf(names.store)) noteGeneration(names.store, current);
  }
  const state = new StateLog(10);
  const started = performance.now();
  await until(
    async () => {
      // Read each time: the token may be changed meanwhile.
      await tryTransit(fs.readFileSync(names.seal, "utf8"));
      return true;
    },
    0.5,
    (error) => state.say("waiting for the bootstrap Vault", { reason: reason(error) }),
  );
  log("the bootstrap Vault answers", { waitedMs: Math.round(performance.now() - started) });
}
