import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { Endpoint, hostOf, knownName, NamespaceRef, PlatformNamespace } from "../workload";
import { ExternalSecrets, storeAccount } from "./external-secrets";
import type { VaultDocument } from "./vault-document";

/** Vault's policy and role for the store of one namespace. */
export const storeRole = (namespace: string): string => `external-secrets-${namespace}`;

/**
 * What Vault must know of the stores of these namespaces, for a `VaultConfiguration`: each may read what lies below its own
 * namespace's name in `kv`, and nothing else.
 */
export function storeAccess(namespaces: Pick<NamespaceRef, "label">[]): VaultDocument {
  const each = <T>(make: (label: string) => T) =>
    Object.fromEntries(namespaces.map(({ label }) => [storeRole(label), make(label)]));
  return {
    policies: each((label) => `path "kv/data/${label}/*" {\n  capabilities = ["read"]\n}\n`),
    kubernetesRoles: each((label) => ({
      serviceAccounts: [storeAccount],
      namespaces: [label],
      policies: [storeRole(label)],
      ttl: "10m",
      audience: "vault",
    })),
  };
}

export interface VaultStoreArgs {
  controller: ExternalSecrets;
  namespace: PlatformNamespace;
  /** Vault's endpoint; the graph must know its authority's PEM. */
  vault: Endpoint;
  /** `ready` of the VaultConfiguration that has `storeAccess` of this namespace. */
  access: pulumi.Input<string>;
  /** How often values are read again, unless an ExternalSecret says otherwise. @default "5m" */
  refresh?: string;
}

/** A place that ExternalSecrets of one namespace read from. */
export interface Store {
  namespace: PlatformNamespace;
  /** Name of the SecretStore, known once it has logged in. */
  name: pulumi.Output<string>;
  /** How often values are read again, unless an ExternalSecret says otherwise. */
  refresh: string;
}

/**
 * The SecretStore of a namespace: Vault's KV version 2, logged in to as the namespace's own account `external-secrets`, by a
 * token that the controller asks for at each login and that is good for Vault alone.
 *
 * @throws where the namespace is not served, or the graph does not know Vault's authority
 */
export function vaultStore(name: string, args: VaultStoreArgs, opts?: pulumi.CustomResourceOptions): Store {
  const { namespace, vault, controller } = args;
  const pem = vault.authority?.pem;
  if (!pem) throw new Error(`${name} needs the certificate authority of ${vault.name}, which the graph does not know`);
  if (!controller.serves.includes(namespace.label)) {
    throw new Error(`${name} is in ${namespace.label}, and the controllers serve ${controller.serves.join(", ")}`);
  }
  const inNamespace = { ...opts, deletedWith: namespace.resource };
  const account = new k8s.core.v1.ServiceAccount(
    // Named after what it is, and not after the store: a store of another name must not delete the account of this one.
    `${storeRole(namespace.label)}-store-account`,
    { metadata: { name: storeAccount, namespace: namespace.name }, automountServiceAccountToken: false },
    inNamespace,
  );
  const store = new k8s.apiextensions.CustomResource(
    name,
    {
      apiVersion: "external-secrets.io/v1",
      kind: "SecretStore",
      metadata: {
        name,
        namespace: namespace.name,
        annotations: {
          "groundwork/controller": controller.ready,
          "groundwork/access": args.access,
          [`groundwork/uses-${vault.name}`]: vault.ready,
          "pulumi.com/waitFor": "condition=Ready",
        },
      },
      spec: {
        provider: {
          vault: {
            server: `https://${hostOf(vault)}:${vault.port}`,
            path: "kv",
            version: "v2",
            caBundle: pem.apply((text) => Buffer.from(text).toString("base64")),
            auth: {
              kubernetes: {
                mountPath: "kubernetes",
                role: storeRole(namespace.label),
                serviceAccountRef: { name: knownName(storeAccount, account), audiences: ["vault"] },
              },
            },
          },
        },
      },
    },
    inNamespace,
  );
  return { namespace, name: knownName(name, store), refresh: args.refresh ?? "5m" };
}

/** A value of a store: the secret's path below the namespace's own, and the field in it. */
export interface RemoteValue {
  path: string;
  field: string;
}

export interface ExternalSecretArgs {
  store: Store;
  /** Key of the Secret to where its value comes from. */
  data: Record<string, RemoteValue>;
  /** How often the values are read again. @default what the store says */
  refresh?: string;
}

/**
 * A Secret of this name that follows values of a store. It is replaced as a whole when one changes, and goes with this; while
 * the store can't be reached the last values stay.
 *
 * @returns the Secret's name, known once it holds the values
 */
export function externalSecret(
  name: string,
  args: ExternalSecretArgs,
  opts?: pulumi.CustomResourceOptions,
): { secret: pulumi.Output<string> } {
  const { namespace } = args.store;
  const made = new k8s.apiextensions.CustomResource(
    `${name}-external`,
    {
      apiVersion: "external-secrets.io/v1",
      kind: "ExternalSecret",
      metadata: {
        name,
        namespace: namespace.name,
        annotations: { "pulumi.com/waitFor": "condition=Ready" },
      },
      spec: {
        refreshInterval: args.refresh ?? args.store.refresh,
        secretStoreRef: { kind: "SecretStore", name: args.store.name },
        target: { name, creationPolicy: "Owner", deletionPolicy: "Retain" },
        data: Object.entries(args.data).map(([secretKey, { path, field }]) => ({
          secretKey,
          remoteRef: { key: `${namespace.label}/${path}`, property: field },
        })),
      },
    },
    // Not `deletedWith` its namespace: the controller takes a finalizer off, so it has to be deleted while that still runs.
    opts,
  );
  return { secret: knownName(name, made) };
}
