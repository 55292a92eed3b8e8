import { serves } from "../../components/backup";
import type { Settings } from "../../stacks/settings";
import { isFresh, type LastBackup, lastNoted } from "../backup/last";
import { duration } from "../ui";
import { type Finding, well, worrying } from "./finding";

const runbook = "docs/runbooks/disaster-recovery.md";

/**
 * How old the newest backup is that this computer knows of. A stack that may lose its data is left alone, unless somebody
 * takes backups of it all the same; so is a standby.
 */
export function checkBackups(
  stack: string,
  settings: Pick<Settings, "backup" | "protect" | "standby">,
  last: LastBackup | undefined = lastNoted(stack),
): Finding[] {
  const check = "backup";
  const { store, maxAge } = settings.backup;
  const take = `Run \`npm run backup -- --stack ${stack}\`, and have it run by itself.`;
  // What it has is the other stack's, which is backed up.
  if (!serves(settings.standby)) return [];
  if (!last) {
    if (!settings.protect && store === undefined) return [];
    return [worrying(check, "none was taken from this computer", take, runbook)];
  }
  const found = `${last.id}, ${duration(last.ageSeconds)} old, in ${last.place}`;
  if (isFresh(last, settings.backup)) return [well(check, found)];
  return [worrying(check, `${found}: older than ${maxAge}`, take, runbook)];
}
