import { readArguments } from "./arguments";
import { UserError } from "./ui";

const usage = `usage: npm run <verb> [-- options]

  up         make the stack what the program says          --stack NAME --yes
  preview    show what up would change, and what it costs  --stack NAME --cost-json FILE
  destroy    remove what up made                           --stack NAME --yes | --confirm NAME
  orphans    name what a stack left in the cloud           --stack NAME --delete --confirm NAME --json
  drift      compare what is there with the stack's state  --stack NAME --json
  status     show what runs, probed from outside           --stack NAME --json
  doctor     name what is wrong and what to do             --stack NAME --json
  artifacts  list, fetch, verify or prune the outside parts
  upgrade    take the cluster to another K3s release, or its machines to newer packages   --plan --to VERSION --os
  access     give people a kubeconfig of some hours          --help
  seal       encrypt a secret so that it can lie in git   --help
  policies   hold a stack against the policy pack, without an engine   --stack NAME --format table|json|sarif
  scan       let scanners look at a stack's rendered objects   --stack NAME
  rehearse   try a stack's platform on a throwaway API server     --stack NAME
  vault      hand over and rotate its keys, snapshots, restore    status | hand-over | ...
  backup     keep what the repository can not make anew        --to STORE | ls | verify
  restore    get a lost stack back from a backup alone         --from STORE --backup ID --lost
  standby    keep a stack ready to take another one's place    sync | promote
  bench      time up, up again, preview and destroy
  test       run the tests: [static] [unit] [apps] [policies] [scanners] [engine] [e2e] [long]   --grep TEXT

npx pulumi ... runs the pinned Pulumi CLI on this project's stacks.`;

interface Line {
  values: {
    stack?: string;
    yes?: boolean;
    json?: boolean;
    grep?: string;
    help?: boolean;
    "cost-json"?: string;
    confirm?: string;
  };
  positionals: string[];
  rest: string[];
}

/** Splits a verb's command line. Throws a UserError with the usage for an option that does not exist. */
function parse(argv: string[]): Line {
  const dashes = argv.indexOf("--");
  const own = dashes < 0 ? argv : argv.slice(0, dashes);
  const { values, positionals } = readArguments(usage, {
    args: own,
    allowPositionals: true,
    options: {
      stack: { type: "string", short: "s" },
      yes: { type: "boolean", short: "y" },
      json: { type: "boolean" },
      grep: { type: "string", short: "g" },
      help: { type: "boolean", short: "h" },
      "cost-json": { type: "string" },
      confirm: { type: "string" },
    },
  });
  return { values, positionals, rest: dashes < 0 ? [] : argv.slice(dashes + 1) };
}

/** Verbs load what they need and no more: `status` must not wait for the engine's libraries. */
async function dispatch(verb: string | undefined, argv: string[]): Promise<number> {
  if (verb === "pulumi") return (await import("./up")).pulumi(argv);
  if (verb === "policies") return (await import("./policies")).policies(argv);
  if (verb === "vault") return (await import("./vault")).vault(argv);
  if (verb === "artifacts") return (await import("./artifacts")).artifacts(argv);
  if (verb === "access") return (await import("./access")).access(argv);
  if (verb === "backup") return (await import("./backup")).backup(argv);
  if (verb === "restore") return (await import("./restore")).restore(argv);
  if (verb === "standby") return (await import("./standby")).standby(argv);
  if (verb === "orphans") return (await import("./orphans")).orphans(argv);
  if (verb === "drift") return (await import("./drift")).drift(argv);
  if (verb === "upgrade") return (await import("./upgrade")).upgrade(argv);
  if (verb === "seal") return (await import("./seal")).seal(argv);
  const { values, positionals, rest } = parse(argv);
  const options = { ...values, rest };
  if (values.help || !verb) {
    process.stdout.write(`${usage}\n`);
    return verb ? 0 : 1;
  }
  switch (verb) {
    case "up":
      return (await import("./up")).up(options);
    case "preview":
      return (await import("./preview")).preview({ ...options, costJson: values["cost-json"] });
    case "destroy":
      return (await import("./destroy")).destroy(options);
    case "status":
      return (await import("./status")).status(options);
    case "doctor":
      return (await import("./doctor")).doctor(options);
    case "scan":
      return (await import("./scan")).scan(options);
    case "rehearse":
      return (await import("./rehearse")).rehearse(options);
    case "bench":
      return (await import("./bench")).bench(options);
    case "test":
      return (await import("./test")).test(positionals, values);
    default:
      throw new UserError(`no verb "${verb}"\n\n${usage}`);
  }
}

/** Runs one verb and returns the exit code. Mistakes of the user's are one message; anything else shows its stack. */
export async function main(argv: string[]): Promise<number> {
  try {
    return await dispatch(argv[0], argv.slice(1));
  } catch (error) {
    if (error instanceof UserError || (error as { userError?: boolean }).userError) {
      process.stderr.write(`${(error as Error).message}\n`);
    } else {
      process.stderr.write(`${(error as Error).stack ?? String(error)}\n`);
    }
    return 1;
  }
}
