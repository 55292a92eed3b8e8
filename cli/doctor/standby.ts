import { seconds, serves } from "../../components/backup";
import type { Settings } from "../../stacks/settings";
import { lastSync, type Synced } from "../standby/notes";
import { duration } from "../ui";
import { type Finding, well, worrying } from "./finding";

const runbook = "docs/runbooks/disaster-recovery.md";

/**
 * How old the data of a standby is, by what this computer synced: what a promotion would lose. Nothing of a stack that serves.
 *
 * @param now for tests
 */
export function checkStandby(
  stack: string,
  { backup, standby }: Pick<Settings, "backup" | "standby">,
  last: Synced | undefined = lastSync(stack),
  now = Date.now(),
): Finding[] {
  if (serves(standby)) return [];
  const check = "standby";
  const act = `Run \`npm run standby -- sync --stack ${stack}\`, and have it run by itself.`;
  if (!last) return [worrying(check, "was never synced from this computer", act, runbook)];
  if (last.unfinished !== undefined) {
    return [worrying(check, `the sync from ${last.unfinished} did not end, and it can't be promoted`, act, runbook)];
  }
  const age = Math.max(0, Math.round((now - Date.parse(last.taken)) / 1000));
  const found = `has ${last.of} as of ${last.taken}, ${duration(age)} ago`;
  if (age <= seconds(backup.maxAge)) return [well(check, found)];
  return [worrying(check, `${found}: older than ${backup.maxAge}`, act, runbook)];
}
