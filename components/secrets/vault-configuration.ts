import * as pulumi from "@pulumi/pulumi";
import { connect, Endpoint, HardenedJob } from "../workload";
import { keeperJob } from "./keeper";
import { loginTokenFolder, loginTokenVolume, withVolumes } from "./pod-tokens";
import type { Vault } from "./vault";
import { configureArguments, withJobPod } from "./vault-base";
import { VaultDocument } from "./vault-document";

export interface VaultConfigurationArgs {
  vault: Vault;
  /** What is to stand in Vault; what an earlier document of the same name had and this one has not is removed. */
  document: pulumi.Input<VaultDocument>;
  /**
   * What Vault itself connects to: databases. Policies of both sides come from here; a credential is at
   * /etc/groundwork/<mount> while the document is applied, an authority at /etc/groundwork/<mount>-ca. @default nothing
   */
  uses?: Endpoint[];
}

/** Applies a document to Vault, by a job of the keeper that can be killed and run again at any moment. */
export class VaultConfiguration extends pulumi.ComponentResource {
  /** Known once the document stands in Vault; another one when the document changes. */
  readonly ready: pulumi.Output<string>;

  constructor(name: string, args: VaultConfigurationArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:secrets:VaultConfiguration", name, {}, opts);
    const { vault } = args;
    const { namespace } = vault;
    const servers = { ...vault.client, name };
    const connections = (args.uses ?? []).map((endpoint) =>
      connect(servers, endpoint, { parent: this, deletedWith: namespace.resource }),
    );
    const annotations = connections.map((connection) => connection.annotations);
    const job = new HardenedJob(
      name,
      {
        namespace,
        uses: [vault.endpoint],
        container: keeperJob(namespace.foundation, configureArguments(name, vault.endpoint, vault.names)),
        config: { path: "/etc/keeper", files: { "document.json": pulumi.jsonStringify(args.document, undefined, 2) } },
        files: connections.flatMap(({ files }) => files),
        restartOn: Object.fromEntries(
          annotations.flatMap((all) => Object.entries(all)).map(([key, value]) => [key.replace(/^.*\//, ""), value]),
        ),
        retries: 6,
        transform: {
          job: (job) =>
            withJobPod(job, (pod) =>
              withVolumes({ ...pod, serviceAccountName: vault.keeperAccount }, [
                { volume: loginTokenVolume(), path: loginTokenFolder, containers: [name] },
              ]),
            ),
        },
      },
      // No value of a policy goes into the job, yet Vault tries a database's login right away.
      { parent: this, dependsOn: connections.flatMap(({ policies }) => policies) },
    );
    this.ready = job.ready;
    this.registerOutputs({});
  }
}
