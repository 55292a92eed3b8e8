import { readArguments } from "../arguments";
import { chosenStack } from "../stack";
import { UserError } from "../ui";
import { promote } from "./promote";
import { sync } from "./sync";

export const standbyUsage = `usage: npm run standby -- <verb> --stack NAME

  sync      bring the standby up where it is not, and give it what the other stack's newest backup has
            --from STORE   instead of the setting backup.store
            --backup ID    instead of the newest
  promote   have it serve in the other stack's place, with the data of its last sync     --yes

A standby is a stack whose file says  groundwork:standby: { of: OTHER }.
It has everything but what serves: the API has no pods.`;

/** `npm run standby`. Returns the exit code. */
export async function standby(argv: string[]): Promise<number> {
  const { values, positionals } = parse(argv);
  const [verb, ...more] = positionals;
  if (values.help) {
    process.stdout.write(`${standbyUsage}\n`);
    return 0;
  }
  if (more.length > 0 || (verb !== "sync" && verb !== "promote")) {
    throw new UserError(`${verb === undefined ? "say what" : `no verb "${positionals.join(" ")}"`}\n\n${standbyUsage}`);
  }
  if (verb === "promote" && (values.from ?? values.backup) !== undefined) {
    throw new UserError("promote takes no backup: sync does, and comes before it");
  }
  const stack = chosenStack(values.stack);
  return verb === "sync" ? sync(stack, values) : promote(stack, values.yes === true);
}

function parse(argv: string[]) {
  return readArguments(standbyUsage, {
    args: argv,
    allowPositionals: true,
    options: {
      stack: { type: "string", short: "s" },
      from: { type: "string" },
      backup: { type: "string" },
      yes: { type: "boolean", short: "y" },
      help: { type: "boolean", short: "h" },
    },
  });
}
