import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { Bytes, HardenedCronJob, knownName } from "../workload";
import { keeperJob } from "./keeper";
import { loginTokenFolder, loginTokenVolume, PodVolume, withVolumes } from "./pod-tokens";
import type { Vault } from "./vault";
import { loginArguments, vaultAccounts, withCronJobPod } from "./vault-base";

export interface VaultSnapshotsArgs {
  vault: Vault;
  /** The StatefulSet that they are of. */
  of: string;
  /** Volume that they are kept on. */
  storage: Bytes;
  /** Five fields of cron, in UTC. @default every six hours */
  schedule?: string;
  /** @default 28 */
  keep?: number;
  /** @default true */
  protect?: boolean;
}

const folder = "/vault/snapshots";

/** Keeps snapshots of Vault's data on a volume of their own. They are encrypted by Vault's own keys. */
export class VaultSnapshots extends pulumi.ComponentResource {
  constructor(name: string, args: VaultSnapshotsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:secrets:VaultSnapshots", name, {}, opts);
    const { vault } = args;
    const { namespace } = vault;
    const keep = args.keep ?? 28;
    const inNamespace = { parent: this, deletedWith: namespace.resource };
    const account = new k8s.core.v1.ServiceAccount(
      vaultAccounts.snapshots,
      { metadata: { name: vaultAccounts.snapshots, namespace: namespace.name }, automountServiceAccountToken: false },
      inNamespace,
    );
    const claim = new k8s.core.v1.PersistentVolumeClaim(
      name,
      {
        // Bound when the first snapshot is taken, and not before: nothing to wait for.
        metadata: { name, namespace: namespace.name, annotations: { "pulumi.com/skipAwait": "true" } },
        spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: args.storage } } },
      },
      { ...inNamespace, protect: args.protect ?? true },
    );
    const volumes = (containers: string[]): PodVolume[] => [
      { volume: loginTokenVolume(), path: loginTokenFolder, containers },
      {
        volume: { name: "snapshots", persistentVolumeClaim: { claimName: knownName(name, claim) } },
        path: folder,
        containers,
        writable: true,
      },
    ];
    new HardenedCronJob(
      name,
      {
        namespace,
        schedule: args.schedule ?? "17 */6 * * *",
        uses: [vault.endpoint],
        container: keeperJob(namespace.foundation, [
          "snapshot",
          ...loginArguments(vault.endpoint, vault.names),
          ...["--folder", folder],
          ...["--keep", String(keep)],
        ]),
        transform: {
          cronJob: (cronJob) =>
            withCronJobPod(
              cronJob,
              { "groundwork/backup-of": `StatefulSet/${args.of}`, "groundwork/backup-retention": `${keep} copies` },
              (pod) =>
                withVolumes(
                  { ...pod, serviceAccountName: knownName(vaultAccounts.snapshots, account) },
                  volumes([name]),
                ),
            ),
        },
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
