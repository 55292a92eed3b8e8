import * as pulumi from "@pulumi/pulumi";
import { HardenedCronJob } from "../workload";
import { keeperJob } from "./keeper";
import { loginTokenFolder, loginTokenVolume, withVolumes } from "./pod-tokens";
import type { Vault } from "./vault";
import { loginArguments, withCronJobPod } from "./vault-base";

export interface VaultAuthoritiesArgs {
  vault: Vault;
  /** Five fields of cron, in UTC. @default Sundays at 03:41 */
  schedule?: string;
}

/** Looks after the authorities in Vault: an intermediate that ends within a year is replaced while the root is online. */
export class VaultAuthorities extends pulumi.ComponentResource {
  constructor(name: string, args: VaultAuthoritiesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:secrets:VaultAuthorities", name, {}, opts);
    const { vault } = args;
    new HardenedCronJob(
      name,
      {
        namespace: vault.namespace,
        schedule: args.schedule ?? "41 3 * * 0",
        uses: [vault.endpoint],
        container: keeperJob(vault.namespace.foundation, [
          "authorities",
          ...loginArguments(vault.endpoint, vault.names),
        ]),
        transform: {
          cronJob: (cronJob) =>
            withCronJobPod(cronJob, {}, (pod) =>
              withVolumes({ ...pod, serviceAccountName: vault.keeperAccount }, [
                { volume: loginTokenVolume(), path: loginTokenFolder, containers: [name] },
              ]),
            ),
        },
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
