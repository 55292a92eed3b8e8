import { describe } from "../resource";
import { groundwork, kubernetes, stackRule } from "../rule";
import { backupFlaw, isBackupTarget, isStore } from "../stores";

/** What was never backed up can't be restored; what is kept for ever can't be deleted when someone must. */
export const dataStoreBackups = stackRule(
  {
    id: "data-store-backups",
    title: "Every data store is backed up, and its backups have a retention",
    severity: "high",
    controls: [groundwork("Restore, not only backup"), kubernetes("Persistent Volumes: Reclaiming")],
    remediation:
      "Add a ScheduledBackup with a retentionPolicy, or a CronJob with groundwork/backup-of and groundwork/backup-retention.",
  },
  (resources, report) => {
    for (const store of resources.filter(isStore)) {
      const flaw = isBackupTarget(store, resources) ? undefined : backupFlaw(store, resources);
      if (flaw) report(store, `${describe(store)} ${flaw}`);
    }
  },
);
