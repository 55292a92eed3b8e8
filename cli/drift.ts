import * as fs from "node:fs";
import { readArguments } from "./arguments";
import { readEvents } from "./cost/events";
import { driftOf } from "./drift/compare";
import { driftText } from "./drift/report";
import { openEngine } from "./prepare";
import { eventLog, eventLogEnvironment } from "./preview";
import { chosenStack } from "./stack";
import { say, UserError } from "./ui";

const usage = `usage: npm run drift -- [options]

  --stack NAME    the stack to look at
  --json          the report as JSON
  --out FILE      write the report there instead of on standard output

Looks at everything that the stack's state holds and names what is no longer as it says, field by field. Changes nothing.
Exit code 0 without drift, 2 with drift, 1 when it could not be found out.`;

interface Options {
  stack: string;
  json: boolean;
  out?: string;
}

function parse(argv: string[]): Options | undefined {
  const { values } = readArguments(usage, {
    args: argv,
    options: {
      stack: { type: "string", short: "s" },
      json: { type: "boolean", default: false },
      out: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return undefined;
  return { stack: chosenStack(values.stack), json: values.json, out: values.out };
}

/** `npm run drift`: what is no longer as the stack's state says, by a refresh that changes nothing. */
export async function drift(argv: string[]): Promise<number> {
  const options = parse(argv);
  if (!options) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  const { stack } = options;
  const engine = await openEngine();
  if (!(await engine.exists(stack))) {
    throw new UserError(
      `stack ${stack} is not in this backend: bring it up, or set PULUMI_BACKEND_URL to where its state is`,
    );
  }
  const config = await engine.prepare(stack);
  const log = eventLog(`drift-${stack}`);
  try {
    const args = ["refresh", "--stack", stack, "--preview-only", "--non-interactive", "--event-log", log];
    const done = await engine.run(engine.defaults(args, config), { env: eventLogEnvironment });
    const events = readEvents(log);
    if (done.code !== 0) {
      say(`drift of ${stack} could not be found out:`);
      say(reasons(events) || (done.stderr || done.stdout).trim());
      return 1;
    }
    const report = driftOf(events);
    const text = options.json ? JSON.stringify({ stack, ...report }, null, 2) : driftText(stack, report);
    if (options.out) fs.writeFileSync(options.out, `${text}\n`);
    else process.stdout.write(`${text}\n`);
    return report.drifts.length > 0 ? 2 : 0;
  } finally {
    fs.rmSync(log, { force: true });
  }
}

/** What the engine and the providers said was wrong. */
const reasons = (events: ReturnType<typeof readEvents>): string =>
  [
    ...new Set(
      events.flatMap(({ diagnosticEvent: said }) => (said?.severity === "error" ? [said.message.trim()] : [])),
    ),
  ].join("\n");
