import { readArguments } from "./arguments";
import { costSchema } from "../stacks/cost/settings";
import { cloudAccess, isCloud, openCloud, settingsIfRight } from "./cloud/access";
import { askCluster } from "./cloud/cluster";
import { deleteOrphans, findOrphans, type Known, type Orphan, orphanTable } from "./cloud/orphans";
import { forgetRecord, readRecord } from "./cloud/record";
import { idsInState } from "./cloud/state";
import { administrator } from "./destroy";
import type { Engine } from "./engine";
import { openEngine } from "./prepare";
import { readPrices } from "./preview";
import { chosenStack } from "./stack";
import { ask, say, UserError } from "./ui";

const usage = `usage: npm run orphans -- [options]

  --stack NAME       the stack whose leavings are looked for
  --delete           delete them; asks for the stack's name
  --confirm NAME     the stack's name, for scripts
  --without-state    delete though this computer knows nothing of the stack: its state may be kept elsewhere
  --json             the list as JSON

Names what carries the stack's label in the cloud and is not in its state, and what its cluster made there and no longer uses.
Nothing else is looked at. Exit code 0 when nothing is left, 2 when something is, 1 when it could not be found out.`;

interface Options {
  stack: string;
  delete: boolean;
  confirm?: string;
  withoutState: boolean;
  json: boolean;
}

function parse(argv: string[]): Options | undefined {
  const { values } = readArguments(usage, {
    args: argv,
    options: {
      stack: { type: "string", short: "s" },
      delete: { type: "boolean", default: false },
      confirm: { type: "string" },
      "without-state": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return undefined;
  const stack = chosenStack(values.stack);
  return { ...values, delete: values.delete, json: values.json, stack, withoutState: values["without-state"] };
}

/** `npm run orphans`: what a stack left in the cloud, with its price a month; `--delete` removes it. */
export async function orphans(argv: string[]): Promise<number> {
  const options = parse(argv);
  if (!options) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  const { stack } = options;
  const settings = settingsIfRight(stack);
  if (settings && !isCloud(settings)) {
    say(`stack ${stack} has no cloud: nothing of it costs money there`);
    return 0;
  }
  const engine = await openEngine();
  const inState = await idsInState(engine, stack);
  const config = inState ? await engine.prepare(stack) : undefined;
  const api = await openCloud(await cloudAccess(stack, inState ? { engine, config } : {}));
  const prices = readPrices(settings?.cost ?? costSchema.parse({}));
  const known: Known = {
    stack,
    inState: inState ?? new Map<string, Set<string>>(),
    record: readRecord(stack),
    live: inState ? await liveThings(stack, engine) : undefined,
  };
  const found = await findOrphans(api, known, prices);
  if (!options.delete) {
    process.stdout.write(`${options.json ? json(found, prices.currency) : orphanTable(stack, found, prices)}\n`);
    return found.length > 0 ? 2 : 0;
  }
  say(orphanTable(stack, found, prices));
  if (found.length === 0) return 0;
  if (!inState && !known.record?.destroyed && !options.withoutState) {
    throw new UserError(
      `nothing deleted: this computer knows no stack ${stack}, so what is listed may be in use by one whose state is kept elsewhere. ` +
        "Run it there, or add --without-state if the stack is gone for good.",
    );
  }
  await confirmed(options);
  const failed = await deleteOrphans(api, found, say);
  for (const { orphan, error } of failed) say(`not deleted: ${orphan.kind.name} ${orphan.object.name}: ${error}`);
  if (failed.length === 0 && !inState) forgetRecord(stack);
  return failed.length > 0 ? 1 : 0;
}

/** What the cluster that runs now uses of the cloud; undefined where it does not answer. */
async function liveThings(stack: string, engine: Engine): Promise<Known["live"]> {
  try {
    const kube = await administrator(stack, engine);
    if (!kube) return undefined;
    const { services, volumes } = await askCluster(kube);
    return { services: new Set(services.map(({ uid }) => uid)), volumes: new Set(volumes.map(({ id }) => id)) };
  } catch (error) {
    say(`the cluster does not answer (${(error as Error).message}): what it made in the cloud is taken as in use`);
    return undefined;
  }
}

async function confirmed({ stack, confirm }: Options): Promise<void> {
  const given = confirm ?? (await ask(`Type the stack's name to delete what is listed: `));
  if (given !== stack) {
    throw new UserError(
      confirm === undefined
        ? `nothing deleted: the stack's name was not given (in scripts: --confirm ${stack})`
        : `nothing deleted: --confirm says "${confirm}", and the stack is "${stack}"`,
    );
  }
}

const json = (found: readonly Orphan[], currency: string): string =>
  JSON.stringify(
    found.map(({ kind, object, why, monthly, retained }) => {
      return {
        kind: kind.name,
        id: object.id,
        name: object.name,
        created: object.created,
        why,
        retained,
        monthly,
        currency,
      };
    }),
    null,
    2,
  );
