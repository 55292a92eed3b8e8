import { z } from "zod";
import { apiSchema } from "../../components/apps/settings";
import { backupSchema, standbySchema } from "../../components/backup/settings";
import { admissionSchema } from "../../components/cluster/admission-settings";
import { cloudSchema } from "../../components/cloud/settings";
import { clusterSchema } from "../../components/cluster/settings";
import { cacheSchema, databaseSchema } from "../../components/data/settings";
import { domainSchema, edgeSchema } from "../../components/edge/settings";
import { targetSchema } from "../../components/host/settings";
import { accessSchema } from "../../components/identity/settings";
import { vaultSchema } from "../../components/secrets/settings";
import { certificatesSchema } from "../../components/pki/settings";
import { externalSecretsSchema, sealedSecretsSchema } from "../../components/secrets/sealing-settings";
import { costSchema } from "../cost/settings";
import { policiesSchema } from "./policies";

/**
 * Everything that a stack may say, as `groundwork:<key>` in its file. Each slice stands beside the component that it is
 * for; a new component adds its slice here.
 */
export const settingsSchema = z.strictObject({
  domain: domainSchema,
  localNames: z
    .boolean()
    .default(false)
    .describe("Write the platform's names into this computer's /etc/hosts, which needs root. Default: false."),
  protect: z.boolean().default(true).describe("Refuse to delete data stores until this is false. Default: true."),
  target: targetSchema.describe("Where the machines come from."),
  cluster: clusterSchema.describe("The cluster."),
  cloud: cloudSchema.describe("What the cloud that the machines stand in gives to the cluster."),
  database: databaseSchema.describe("The platform's PostgreSQL."),
  cache: cacheSchema.describe("The platform's cache."),
  api: apiSchema.describe("The API."),
  edge: edgeSchema.describe("The way in."),
  vault: vaultSchema.describe("Vault: secrets, certificates, leased logins."),
  certificates: certificatesSchema.describe("Certificates that renew themselves."),
  access: accessSchema.describe("Who may do what in the cluster."),
  cost: costSchema.describe("What it costs, and what it may cost."),
  policies: policiesSchema.describe("How strictly the policy pack holds this stack."),
  admission: admissionSchema.describe("The policy pack's rules inside the cluster."),
  sealedSecrets: sealedSecretsSchema.describe("Secrets in git that only the cluster can open."),
  externalSecrets: externalSecretsSchema.describe("Secrets that follow values in Vault."),
  backup: backupSchema.describe("Backups of what the repository can not make anew."),
  standby: standbySchema.describe("This stack stands by for another one, and serves only once it is promoted."),
});

/** A stack's settings, complete and checked. */
export type Settings = z.infer<typeof settingsSchema>;
