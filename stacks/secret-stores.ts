import * as pulumi from "@pulumi/pulumi";
import {
  ExternalSecrets,
  SealedSecrets,
  type Store,
  storeAccess,
  VaultConfiguration,
  vaultStore,
} from "../components/secrets";
import type { Foundation, PlatformNamespace } from "../components/workload";
import type { ComponentReport } from "./report";
import type { Settings } from "./settings";
import type { Trust } from "./trust";

export interface SecretStoresArgs {
  foundation: Foundation;
  settings: Settings;
  trust?: Trust;
  /** Namespaces in which Secrets are made. */
  serves: PlatformNamespace[];
}

/** What makes Secrets of things that are none yet: sealed files of the checkout, and values that live in Vault. */
export class SecretStores extends pulumi.ComponentResource {
  /** Stores of the served namespaces that ExternalSecrets read from, by namespace. */
  readonly stores: Record<string, Store> = {};

  constructor(name: string, args: SecretStoresArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:stacks:SecretStores", name, {}, opts);
    const { foundation, settings, serves } = args;
    const here = { parent: this };
    const { sealedSecrets, externalSecrets } = settings;
    if (sealedSecrets.enabled) {
      new SealedSecrets(
        "sealed-secrets",
        {
          foundation,
          serves,
          renewalDays: sealedSecrets.renewalDays,
          renewBefore: sealedSecrets.renewBefore,
          files: `sealed/${pulumi.getStack()}`,
        },
        here,
      );
    }
    const vault = args.trust?.secrets?.vault;
    if (externalSecrets.enabled && vault) {
      const controller = new ExternalSecrets("external-secrets", { foundation, serves, uses: [vault.endpoint] }, here);
      const access = new VaultConfiguration("store-access", { vault, document: storeAccess(serves) }, here).ready;
      for (const namespace of serves) {
        this.stores[namespace.label] = vaultStore(
          `vault-${namespace.label}`,
          { controller, namespace, vault: vault.endpoint, access, refresh: externalSecrets.refresh },
          here,
        );
      }
    }
    this.registerOutputs({});
  }

  /** How each of its components is probed. */
  static report({ sealedSecrets, externalSecrets }: Settings): ComponentReport[] {
    const deployment = (name: string, resource = name): ComponentReport => ({
      name,
      artifacts: [name],
      probe: { kind: "workload", resource: "deployments", namespace: name, name: resource },
    });
    return [
      ...(sealedSecrets.enabled ? [deployment("sealed-secrets")] : []),
      ...(externalSecrets.enabled ? [deployment("external-secrets", "external-secrets-app")] : []),
    ];
  }
}
