export { ExternalSecrets, type ExternalSecretsArgs } from "./external-secrets";
export { VaultInjector, type VaultInjectorArgs } from "./injector";
export { SealedSecrets, type SealedSecretsArgs } from "./sealed-secrets";
export { Vault, type VaultArgs } from "./vault";
export { VaultConfiguration, type VaultConfigurationArgs } from "./vault-configuration";
export type * from "./vault-document";
export * from "./vault-store";
