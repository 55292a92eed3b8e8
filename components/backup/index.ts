export { AgeError, decrypted, encrypting } from "./age";
export * from "./catalogue";
export { Measure } from "./measure";
export { openStore } from "./open";
export { type BackupSettings, backupSchema, seconds, serves, type StandbySettings, standbySchema } from "./settings";
export { type BackupStore, type Stored, StoreError } from "./store";
