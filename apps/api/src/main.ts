import { readConfig } from "./config";
import { makeLogger } from "./log";
import { startService } from "./service";

async function main(): Promise<void> {
  const config = readConfig();
  const log = makeLogger(config.logLevel);
  const service = await startService(config, log);

  const stop = (signal: NodeJS.Signals): void => {
    log.info({ signal }, "signal");
    // What hangs must not outlive the grace period: the rest of it would end in a kill without a log line.
    setTimeout(() => {
      log.error("shutdown took too long");
      process.exit(1);
    }, config.shutdownTimeout).unref();
    service.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, "shutdown failed");
        process.exit(1);
      },
    );
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);

  await service.migrated;
}

main().catch((error: unknown) => {
  // One line a mistake, for people; a bad setting or a foreign schema needs no stack.
  process.stderr.write(`groundwork-api: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
