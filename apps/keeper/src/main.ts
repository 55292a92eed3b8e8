import { authorities } from "./authorities";
import { bootstrap } from "./bootstrap/bootstrap";
import { configure } from "./configure/configure";
import { guard } from "./guard";
import { reason } from "./log";
import { snapshot } from "./snapshot";
import { prepare, wait } from "./wait";

const commands: Record<string, (argv: string[]) => Promise<void> | void> = {
  prepare,
  bootstrap,
  wait,
  guard,
  configure,
  snapshot,
  authorities,
};

async function main([command = "", ...argv]: string[]): Promise<void> {
  const run = commands[command];
  if (!run) throw new Error(`no command "${command}": expected one of ${Object.keys(commands).join(", ")}`);
  await run(argv);
}

// As the first process of a container nothing ends by itself; nothing here needs an orderly end.
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => process.exit(0));

main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`groundwork-keeper: ${reason(error)}\n`);
    process.exit(1);
  },
);
