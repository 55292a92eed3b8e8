/** How bad a finding is: `fail` is broken now, `warn` will be, `ok` was looked at and is well. */
export type Level = "ok" | "warn" | "fail";

/** One line of `doctor`. */
export interface Finding {
  /** What was looked at, in the words of the runbooks. */
  check: string;
  level: Level;
  /** What was seen. Never a secret. */
  found: string;
  /** What to do about it; set unless the level is `ok`. */
  remedy?: string;
  /** The page that says more, relative to the checkout. */
  runbook?: string;
}

export const well = (check: string, found: string): Finding => ({ check, level: "ok", found });

export const broken = (check: string, found: string, remedy: string, runbook?: string): Finding => ({
  check,
  level: "fail",
  found,
  remedy,
  ...(runbook ? { runbook } : {}),
});

export const worrying = (check: string, found: string, remedy: string, runbook?: string): Finding => ({
  ...broken(check, found, remedy, runbook),
  level: "warn",
});

/** The message of whatever was thrown. */
export const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Days from one moment to another, rounded down; negative when the moment is past. */
export const daysUntil = (end: Date, now: Date): number => Math.floor((end.getTime() - now.getTime()) / 86_400_000);
