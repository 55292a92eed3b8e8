import { Document } from "./document";

/** Something that stands at a path of Vault's API, and what is written there. */
export interface Wanted {
  path: string;
  body: object;
}

/** Everything of a document that is written as it is, in the order in which it is written. */
export function wantedObjects(document: Document): Wanted[] {
  return [
    ...each(document.policies, "sys/policies/acl", (policy) => ({ policy })),
    ...each(document.pkiRoles, "pki/roles", pkiRoleBody),
    ...each(document.kubernetesRoles, "auth/kubernetes/role", (role) => ({
      bound_service_account_names: role.serviceAccounts,
      bound_service_account_namespaces: role.namespaces,
      audience: role.audience,
      alias_name_source: "serviceaccount_name",
      token_policies: role.policies,
      token_ttl: role.ttl,
      token_max_ttl: 0,
    })),
    ...each(document.appRoles, "auth/approle/role", (role) => ({
      token_policies: role.policies,
      token_ttl: role.ttl,
      secret_id_ttl: role.secretIdTtl,
      secret_id_num_uses: role.secretIdUses,
      secret_id_bound_cidrs: role.boundCidrs,
      token_bound_cidrs: role.boundCidrs,
      bind_secret_id: true,
    })),
    ...each(document.database.roles, "database/roles", (role) => ({
      db_name: role.connection,
      creation_statements: role.create,
      revocation_statements: role.revoke,
      renew_statements: role.renew,
      default_ttl: role.defaultTtl,
      max_ttl: role.maxTtl,
    })),
  ];
}

function each<T>(all: Record<string, T>, folder: string, body: (one: T) => object): Wanted[] {
  return Object.entries(all).map(([name, one]) => ({ path: `${folder}/${name}`, body: body(one) }));
}

function pkiRoleBody(role: Document["pkiRoles"][string]): object {
  return {
    allowed_domains: role.allowedDomains,
    allow_subdomains: role.subdomains,
    allow_bare_domains: role.bareDomains,
    allow_glob_domains: false,
    allow_wildcard_certificates: false,
    allow_localhost: false,
    allow_ip_sans: role.ips,
    enforce_hostnames: role.enforceHostnames,
    // A request by cert-manager may carry its names as alternative names only.
    require_cn: false,
    cn_validations: role.enforceHostnames ? ["email", "hostname"] : ["disabled"],
    server_flag: role.server,
    client_flag: role.client,
    code_signing_flag: false,
    email_protection_flag: false,
    key_type: role.keyType,
    key_bits: 0,
    key_usage: ["DigitalSignature", ...(role.keyType === "rsa" ? ["KeyEncipherment"] : [])],
    ttl: role.ttl,
    max_ttl: role.maxTtl,
  };
}
