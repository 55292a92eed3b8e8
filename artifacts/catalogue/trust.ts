import { certificateEntries } from "./certificates";
import { keeperEntries } from "./keeper";
import { sealingEntries } from "./sealing";
import type { Entry } from "./types";
import { valkeyEntries } from "./valkey";
import { vaultEntries } from "./vault";

/** Images, binaries and manifests of what holds and hands out secrets and certificates, and of what checks the cluster. */
export const trustEntries: Entry[] = [
  ...certificateEntries,
  ...vaultEntries,
  ...keeperEntries,
  ...sealingEntries,
  ...valkeyEntries,
];
