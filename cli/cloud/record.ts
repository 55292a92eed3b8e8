import * as fs from "node:fs";
import * as path from "node:path";
import { stateDir, stateFolder, writeAtomically } from "../paths";

/**
 * What a stack's cluster made on the cloud's side, as the cluster itself and the cloud said while both were there. It is the proof of whose
 * a volume or a balancer is, once the cluster can't be asked any more.
 */
export interface ClusterRecord {
  /** Ids of the stack's networks. */
  networks: number[];
  /** UIDs of the Services for which the cloud controller manager made balancers. */
  services: string[];
  /** Volumes of the CSI driver by id, with the claim that they were made for. */
  volumes: { id: number; claim: string; retain: boolean }[];
  /** Set when a destroy of the stack has begun here: what is left then is nobody's. */
  destroyed?: string;
}

const fileOf = (stack: string): string => path.join(stateDir(), "cloud", `${stack}.json`);

/** What was recorded of the stack; undefined where nothing was. */
export function readRecord(stack: string): ClusterRecord | undefined {
  try {
    return JSON.parse(fs.readFileSync(fileOf(stack), "utf8")) as ClusterRecord;
  } catch {
    return undefined;
  }
}

/** Adds to the record; what stands there stays, for a second run may see less than the first. */
export function addToRecord(stack: string, found: Partial<ClusterRecord>): ClusterRecord {
  const kept = readRecord(stack) ?? { networks: [], services: [], volumes: [] };
  const volumes = new Map([...kept.volumes, ...(found.volumes ?? [])].map((volume) => [volume.id, volume]));
  const record: ClusterRecord = {
    networks: [...new Set([...kept.networks, ...(found.networks ?? [])])],
    services: [...new Set([...kept.services, ...(found.services ?? [])])],
    volumes: [...volumes.values()],
    destroyed: found.destroyed ?? kept.destroyed,
  };
  stateFolder("cloud");
  writeAtomically(fileOf(stack), JSON.stringify(record, null, 2), 0o600);
  return record;
}

/** Forgets it: nothing is left of the stack, or it is made anew. */
export const forgetRecord = (stack: string): void => fs.rmSync(fileOf(stack), { force: true });
