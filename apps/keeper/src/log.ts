import { version } from "./version";

/** Values that must not be written anywhere but to where they belong. */
const hidden = new Set<string>();

/** From now on this value is blanked in every line and in every answer. Gives it back. */
export function hide<T extends string | undefined>(value: T): T {
  // Short values would blank half of every line; nothing secret here is that short.
  if (value !== undefined && value.length >= 8) hidden.add(value);
  return value;
}

/** The text without what is hidden. */
export function blank(text: string): string {
  let blanked = text;
  for (const value of hidden) blanked = blanked.replaceAll(value, "[hidden]");
  return blanked;
}

/** A JSON line on standard output. */
export function log(message: string, fields: Record<string, unknown> = {}): void {
  const line = JSON.stringify({
    time: new Date().toISOString(),
    service: "groundwork-keeper",
    version,
    message,
    ...fields,
  });
  process.stdout.write(`${blank(line)}\n`);
}

/** What an error says, for a line. */
export function reason(error: unknown): string {
  if (!(error instanceof Error)) return blank(String(error));
  const { code } = error as { code?: string };
  return blank(error.message || code || error.name);
}

/** Logs a state when it changes, and again after so many seconds: a loop must not fill the log. */
export class StateLog {
  private last = "";
  private at = 0;
  constructor(private readonly every = 30) {}

  say(message: string, fields: Record<string, unknown> = {}): void {
    const text = JSON.stringify([message, fields]);
    // performance.now does not follow a clock that is set.
    if (text === this.last && performance.now() - this.at < this.every * 1000) return;
    this.last = text;
    this.at = performance.now();
    log(message, fields);
  }
}
