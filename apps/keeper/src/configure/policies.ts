/**
 * What the keeper may do. Who can write policies can give itself anything, so the guard is who may be the keeper: two
 * accounts of Vault's own namespace, for a quarter of an hour. It can not read what is in `kv` but for its own notes, and it
 * issues no certificates and takes no database logins.
 */
export const keeperPolicy = `
path "sys/mounts"                        { capabilities = ["read"] }
path "sys/mounts/*"                      { capabilities = ["create", "read", "update"] }
path "sys/auth"                          { capabilities = ["read"] }
path "sys/auth/*"                        { capabilities = ["create", "read", "update", "sudo"] }
path "sys/policies/acl/*"                { capabilities = ["create", "read", "update", "delete"] }
path "auth/kubernetes/config"            { capabilities = ["create", "read", "update"] }
path "auth/kubernetes/role/*"            { capabilities = ["create", "read", "update", "delete"] }
path "auth/approle/role/+"               { capabilities = ["create", "read", "update", "delete"] }

path "kv/config"                         { capabilities = ["create", "read", "update"] }
path "kv/metadata/*"                     { capabilities = ["read"] }
path "kv/data/*"                         { capabilities = ["create"] }
path "kv/data/keeper/*"                  { capabilities = ["create", "read", "update"] }

path "pki-root/issuers"                  { capabilities = ["list"] }
path "pki-root/issuer/*"                 { capabilities = ["read"] }
path "pki-root/keys/import"              { capabilities = ["create", "update"] }
path "pki-root/root/generate/existing"   { capabilities = ["create", "update"] }
path "pki-root/root/sign-intermediate"   { capabilities = ["create", "update"] }
path "pki-root/config/*"                 { capabilities = ["create", "read", "update"] }
path "pki/issuers"                       { capabilities = ["list"] }
path "pki/issuer/*"                      { capabilities = ["read"] }
path "pki/intermediate/generate/internal" { capabilities = ["create", "update"] }
path "pki/intermediate/set-signed"       { capabilities = ["create", "update"] }
path "pki/config/*"                      { capabilities = ["create", "read", "update"] }
path "pki/roles/*"                       { capabilities = ["create", "read", "update", "delete"] }

path "database/config/*"                 { capabilities = ["create", "read", "update", "delete"] }
path "database/roles/*"                  { capabilities = ["create", "read", "update", "delete"] }
path "database/rotate-root/*"            { capabilities = ["create", "update"] }
`;

/** What the snapshots' account may do. */
export const snapshotsPolicy = `
path "sys/storage/raft/snapshot" { capabilities = ["read"] }
`;
