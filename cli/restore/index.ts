import { readArguments } from "../arguments";
import { type BackupStore, listStacks, type Summary } from "../../components/backup";
import { checkBackup, chooseBackup } from "../backup";
import { storeOf } from "../backup/last";
import { readPassphrase } from "../backup/passphrase";
import { kubeconfigFile } from "../paths";
import { checkSettings } from "../prepare";
import { chosenStack, savedReport } from "../stack";
import { ask, say, UserError } from "../ui";
import { openCluster } from "../vault/cluster";
import { refuseOlder, sayChanges } from "./compare";
import { Progress } from "./progress";
import { prove } from "./prove";
import { checkGround, rebuild } from "./rebuild";
import { ownCluster } from "./state";

export const restoreUsage = `usage: npm run restore -- --stack NAME [--from STORE] [--backup ID] [--lost] [--yes]

Gets a lost stack back into fresh machines, from a backup, this checkout and the passphrase alone.

  --from STORE   a folder, or s3://BUCKET/PREFIX; without it, the setting backup.store
  --backup ID    which (npm run backup -- ls); without it, the newest
  --lost         the cluster that the state still knows is lost: what is left of its machines is taken away
  --yes          do not ask

Run again after whatever ended it: it goes on where it was.`;

export interface RestoreOptions {
  stack?: string;
  from?: string;
  backup?: string;
  lost?: boolean;
  yes?: boolean;
}

function parse(argv: string[]): RestoreOptions & { help?: boolean } {
  return readArguments(restoreUsage, {
    args: argv,
    options: {
      stack: { type: "string", short: "s" },
      from: { type: "string" },
      backup: { type: "string" },
      lost: { type: "boolean" },
      yes: { type: "boolean", short: "y" },
      help: { type: "boolean", short: "h" },
    },
  }).values;
}

/** `npm run restore`. Returns the exit code. */
export async function restore(argv: string[]): Promise<number> {
  const options = parse(argv);
  if (options.help) {
    process.stdout.write(`${restoreUsage}\n`);
    return 0;
  }
  const stack = chosenStack(options.stack);
  const given = checkSettings(stack);
  const store = storeOf(given.backup, options.from);
  const known = Progress.of(stack);
  if (known && options.backup && options.backup !== known.id && !options.lost) {
    throw new UserError(
      `a restore of ${stack} from ${known.id} is not done: leave --backup out to go on with it, or add --lost to begin anew`,
    );
  }
  const goOn = known !== undefined && !options.lost;
  if (goOn && known.isOld()) {
    throw new UserError(
      [
        `a restore of ${stack} from ${known.id} was begun at ${known.begun.toISOString()} and never finished. To go on would undo`,
        `what was written since. Begin anew with --lost or, where the stack was mended by hand, delete ${known.file}`,
      ].join("\n"),
    );
  }
  const began = Date.now();
  // Nothing is changed before all that can be known before was looked at.
  const summary = await findBackup(store, stack, goOn ? known.id : options.backup);
  const manifest = await checkBackup(store, summary, readPassphrase());
  refuseOlder(manifest);
  sayChanges(manifest);
  const { engine, settings } = await checkGround(stack);
  if (!goOn && (await ownCluster(engine, stack))) await confirmLoss(stack, options);
  const progress = goOn ? known : Progress.begin(stack, summary.id, store.place);
  say(`${goOn ? "going on to restore" : "restoring"} ${stack} as of ${manifest.taken}, from ${store.place}`);
  await rebuild({ engine, stack, settings, store, manifest, progress });
  const seconds = (from: Date | number): number => Math.round((Date.now() - Number(from)) / 1000);
  await prove(openCluster(kubeconfigFile(stack), stack), savedReport(stack), manifest);
  const age = Math.round((progress.begun.getTime() - Date.parse(manifest.taken)) / 1000);
  const total = goOn ? seconds(progress.begun) : seconds(began);
  progress.end();
  process.stdout.write(`RPO: ${age} s (data as of ${manifest.taken}, age when the restore began)\n`);
  process.stdout.write(`RTO: ${total} s (from the command to the proof)\n`);
  return 0;
}

/** The backup of that id, or the newest. @throws UserError where the store has none of the stack */
export async function findBackup(store: BackupStore, stack: string, id: string | undefined): Promise<Summary> {
  const stacks = await listStacks(store);
  if (!stacks.includes(stack)) {
    const others = stacks.length > 0 ? `, only of ${stacks.join(", ")}` : "";
    throw new UserError(`${store.place} has no backup of ${stack}${others}: say --from STORE`);
  }
  return chooseBackup(store, stack, id);
}

async function confirmLoss(stack: string, { lost, yes }: RestoreOptions): Promise<void> {
  if (!lost) {
    throw new UserError(
      [
        `the state knows a cluster of ${stack}: a restore would put a second one beside it. Nothing was changed.`,
        `If it is lost, say so: npm run restore -- --stack ${stack} --lost`,
        `If it is not, put back only what you need: docs/runbooks/disaster-recovery.md`,
      ].join("\n"),
    );
  }
  if (yes) return;
  if ((await ask(`What is left of the machines of ${stack} is deleted. Type the stack's name to go on: `)) !== stack) {
    throw new UserError("nothing was changed: the name was not given (without a terminal, add --yes)");
  }
}
