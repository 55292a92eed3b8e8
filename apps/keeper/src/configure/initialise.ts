import { hide, log } from "../log";
import { Kube } from "../kube/client";
import { Health, VaultClient } from "../vault/client";
import { Platform } from "./document";

/** Recovery keys, and how many of them are needed. */
export const shares = { recovery_shares: 5, recovery_threshold: 3 } as const;

/** Keys of the Secret that holds what the initialisation gave. */
export interface Recovery {
  /** JSON array of base64. Gone once they were handed over. */
  keys?: string;
  /** Since when they are the operator's. */
  handedOver?: string;
  /** Until the base configuration stands. */
  rootToken?: string;
  /** Private key of `pki-root`, PEM, until it is handed over. */
  rootCaKey?: string;
  /** While the operator's computer puts a snapshot into servers that are empty: which. */
  restoring?: string;
}

/** Something that trying again does not help. */
export class FatalError extends Error {}

/** Something that will be different in a moment. */
export class NotYetError extends Error {}

interface Progress {
  phase?: "initialising" | "initialised" | "given-up";
  /** How many initialisations were given up. */
  generation?: string;
}

/**
 * Initialises Vault unless it is, with the keys in their Secret before anything else happens. Where a run was killed
 * between the two, the keys are lost and nothing was ever in that Vault: the servers are told to begin again.
 *
 * @throws NotYetError while servers start, FatalError where a person has to look
 */
export async function ensureInitialised(nodes: VaultClient[], kube: Kube, platform: Platform): Promise<Recovery> {
  const recovery = ((await kube.readSecret(platform.recovery)) ?? {}) as Recovery;
  const progress = ((await kube.readConfigMap(platform.state)) ?? {}) as Progress;
  const generation = Number(progress.generation ?? "0");
  const note = (phase: Progress["phase"], next = generation): Promise<void> =>
    kube.writeConfigMap(platform.state, { phase: phase as string, generation: String(next) });
  const known = recovery.keys !== undefined || recovery.handedOver !== undefined;
  for (const secret of [recovery.rootToken, recovery.rootCaKey, ...keysOf(recovery)]) hide(secret);
  const first = nodes[0] as VaultClient;
  // The servers are empty, or another Vault's for a moment: nothing of what is seen now will stay.
  if (recovery.restoring) throw new NotYetError(`waiting until the snapshot of ${recovery.restoring} is restored`);

  const initialised = await anyInitialised(nodes, known);
  if (initialised && known) {
    if (progress.phase !== "initialised") await note("initialised");
    return recovery;
  }
  if (initialised) {
    if (progress.phase === "initialising") await note("given-up", generation + 1);
    else if (progress.phase !== "given-up") {
      throw new FatalError(
        `Vault is initialised, and the Secret ${platform.namespace}/${platform.recovery} with its recovery keys is gone`,
      );
    }
    throw new NotYetError("the answer to an initialisation was lost: waiting until the servers have begun again");
  }
  if (known || progress.phase === "initialised") {
    throw new FatalError(
      "Vault was initialised before and has no data now: restore a snapshot (`npm run vault -- restore FILE`)",
    );
  }
  await note("initialising");
  const answer = await first.request("PUT", "sys/init", shares, 60_000);
  const made: Recovery = {
    keys: JSON.stringify(answer["recovery_keys_base64"]),
    rootToken: hide(answer["root_token"] as string),
  };
  keysOf(made).forEach(hide);
  await kube.writeSecret(platform.recovery, { ...made });
  await note("initialised");
  log("Vault is initialised, its recovery keys are kept", { secret: `${platform.namespace}/${platform.recovery}` });
  return made;
}

/** The recovery keys, where they were not handed over. */
export const keysOf = (recovery: Recovery): string[] => (recovery.keys ? (JSON.parse(recovery.keys) as string[]) : []);

async function anyInitialised(nodes: VaultClient[], enough: boolean): Promise<boolean> {
  const answers = await Promise.allSettled(nodes.map((node) => node.health()));
  const healths = answers.flatMap((answer): Health[] => (answer.status === "fulfilled" ? [answer.value] : []));
  if (healths.some(({ initialized }) => initialized)) return true;
  // All must say that they are empty before one of them is made a new Vault.
  if (healths.length < nodes.length) {
    throw new NotYetError(
      `${nodes.length - healths.length} of ${nodes.length} servers do not answer${enough ? "" : " yet"}`,
    );
  }
  return false;
}
