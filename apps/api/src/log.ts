import pino, { type Logger } from "pino";
import { version } from "./version";

/**
 * An error as it is logged. The driver's `detail`, `where` and `query` may hold what users wrote, and an error's own
 * enumerable fields may hold anything: only these few go out.
 */
export function safeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) };
  const { code, constraint, table } = error as { code?: string; constraint?: string; table?: string };
  const cause = error.cause === undefined ? undefined : safeError(error.cause);
  return { type: error.constructor.name, message: error.message, code, constraint, table, stack: error.stack, cause };
}

/** JSON lines on standard output. Headers and bodies are never logged; what slips in by name is blanked. */
export function makeLogger(level: string): Logger {
  return pino({
    level,
    base: { service: "groundwork-api", version },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: safeError },
    redact: {
      paths: ["password", "*.password", "authorization", "*.authorization", "cookie", "*.cookie", "connectionString"],
      censor: "[redacted]",
    },
  });
}
