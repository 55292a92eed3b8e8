import { readArguments } from "../arguments";
import { VaultError } from "../../apps/keeper/src/vault/client";
import { kubeconfigFile } from "../paths";
import { chosenStack } from "../stack";
import { UserError } from "../ui";
import { openCluster } from "./cluster";
import { handOver, rotateRecoveryKeys } from "./keys";
import { putBack } from "./put-back";
import { renewAuthorities } from "./renew";
import { bringRootOnline, takeRootOffline } from "./root-ca";
import { revokeRootToken, rootToken } from "./root-token";
import { restoreSnapshot, takeSnapshot } from "./snapshots";
import { factTable, vaultFacts } from "./status";

export const vaultUsage = `usage: npm run vault -- <verb> [--stack NAME]

  status                     how both Vaults are, and what lies where       --json
  hand-over                  move the recovery keys out of the cluster into a file of yours
  root-token                 make a root token, into a file                 --revoke ends it
  rotate-recovery-keys       replace the recovery keys
  snapshot [FILE]            take a snapshot
  restore FILE               put a snapshot back                            --yes
  put-back                   give the bootstrap Vault its unseal key back, out of that file
  root-ca offline | online   take the root authority's key out of Vault, or bring it back
  renew                      look after the authorities now, which happens weekly by itself

Secrets go into files with mode 0600 below the state directory, never onto the screen.`;

interface Line {
  values: { stack?: string; json?: boolean; revoke?: boolean; yes?: boolean; help?: boolean };
  positionals: string[];
}

function parse(argv: string[]): Line {
  return readArguments(vaultUsage, {
    args: argv,
    allowPositionals: true,
    options: {
      stack: { type: "string", short: "s" },
      json: { type: "boolean" },
      revoke: { type: "boolean" },
      yes: { type: "boolean", short: "y" },
      help: { type: "boolean", short: "h" },
    },
  });
}

/** `npm run vault`: what people do with the Vaults. Returns the exit code. */
export async function vault(argv: string[]): Promise<number> {
  const { values, positionals } = parse(argv);
  const [verb, argument, ...more] = positionals;
  const verbs = [
    "status",
    "hand-over",
    "root-token",
    "rotate-recovery-keys",
    "snapshot",
    "restore",
    "put-back",
    "root-ca",
    "renew",
  ];
  if (values.help || verb === undefined) {
    process.stdout.write(`${vaultUsage}\n`);
    return values.help ? 0 : 1;
  }
  const takesOne = ["snapshot", "restore", "root-ca"].includes(verb);
  if (!verbs.includes(verb) || more.length > 0 || (argument !== undefined && !takesOne)) {
    throw new UserError(`no verb "${positionals.join(" ")}"\n\n${vaultUsage}`);
  }
  if (verb === "root-ca" && argument !== "offline" && argument !== "online") {
    throw new UserError("say which: npm run vault -- root-ca offline, or online");
  }
  const stack = chosenStack(values.stack);
  try {
    return await run(verb, argument, values, stack);
  } catch (error) {
    // Vault's own no is one line for a person, like the API server's.
    throw error instanceof VaultError ? new UserError(`Vault says no: ${error.message}`) : error;
  }
}

async function run(verb: string, argument: string | undefined, values: Line["values"], stack: string): Promise<number> {
  const cluster = openCluster(kubeconfigFile(stack), stack);
  await cluster.chooseLeader();
  switch (verb) {
    case "status": {
      const facts = await vaultFacts(cluster, stack);
      process.stdout.write(`${values.json ? JSON.stringify(facts, null, 2) : factTable(facts)}\n`);
      return facts.every(({ ok }) => ok) ? 0 : 1;
    }
    case "hand-over":
      await handOver(cluster, stack);
      return 0;
    case "root-token":
      await (values.revoke ? revokeRootToken : rootToken)(cluster, stack);
      return 0;
    case "rotate-recovery-keys":
      await rotateRecoveryKeys(cluster, stack);
      return 0;
    case "snapshot":
      await takeSnapshot(cluster, stack, argument);
      return 0;
    case "restore":
      await restoreSnapshot(cluster, stack, argument, values.yes === true);
      return 0;
    case "put-back":
      await putBack(cluster, stack);
      return 0;
    case "root-ca":
      await (argument === "offline" ? takeRootOffline : bringRootOnline)(cluster, stack);
      return 0;
    default:
      await renewAuthorities(cluster, stack);
      return 0;
  }
}
