/** The role that Vault's database engine logs in with. */
export const leasingRole = "vault";

/** An SQL identifier in quotes. @throws for one that would need escapes: names come from the program */
function quoted(identifier: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(identifier))
    throw new Error(`${identifier} is no name of a PostgreSQL role`);
  return `"${identifier}"`;
}

/**
 * What makes {@link leasingRole}: a superuser says it once. CREATEROLE alone hands out membership only in roles that it made
 * itself (PostgreSQL 16 and newer), hence the owner's with the right to pass it on. CloudNativePG runs it when it makes a
 * database; in one that exists already, an administrator does, by `psql` in the primary's pod.
 *
 * Not one of CloudNativePG's managed roles: of those it takes every membership back that is not in its spec, those in the
 * users that the role itself made included, and sets back the password that Vault has rotated.
 *
 * @param password letters, digits, _ and -
 */
export function makeLeasingRole(owner: string, password: string): string {
  if (!/^[A-Za-z0-9_-]+$/.test(password))
    throw new Error("the password of the role for Vault must be letters, digits, _ and -");
  return [
    `CREATE ROLE ${leasingRole} LOGIN CREATEROLE CONNECTION LIMIT 10 PASSWORD '${password}';`,
    `GRANT ${quoted(owner)} TO ${leasingRole} WITH ADMIN OPTION;`,
    "",
  ].join("\n");
}

/** Statements of a role of Vault's database engine. */
export interface LeasedUser {
  create: string[];
  revoke: string[];
}

/**
 * How Vault makes and removes users that are as good as `owner` for a while. A session of such a user starts as the owner,
 * so that what it makes belongs to the owner and outlives it. The password is refused after the lease; at the lease's
 * end open sessions are ended too. Revoking a user that is gone already succeeds: a lease must never get stuck.
 *
 * `{{name}}`, `{{password}}` and `{{expiration}}` are Vault's; needs PostgreSQL 16 or newer.
 */
export function leasedUser(owner: string): LeasedUser {
  const role = quoted(owner);
  return {
    create: [
      `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE ${role}`,
      `ALTER ROLE "{{name}}" SET role TO '${owner}'`,
      // Who makes a role may administer it, no more; ending its sessions and taking over what it owns needs its rights.
      `GRANT "{{name}}" TO CURRENT_USER WITH INHERIT TRUE, SET TRUE`,
    ],
    revoke: [
      // One block: Vault hands it over whole, because of its END, and all of it in one transaction.
      `DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{{name}}') THEN ` +
        `ALTER ROLE "{{name}}" NOLOGIN; ` +
        `PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}'; ` +
        `REASSIGN OWNED BY "{{name}}" TO ${role}; ` +
        `DROP OWNED BY "{{name}}"; ` +
        `DROP ROLE "{{name}}"; ` +
        `END IF; END $$`,
    ],
  };
}
