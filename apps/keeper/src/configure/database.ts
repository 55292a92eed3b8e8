import * as fs from "node:fs";
import * as path from "node:path";
import { hide, log, reason } from "../log";
import { VaultClient } from "../vault/client";
import { Connection } from "./document";
import { digestOf, Records } from "./record";

export const connectionPath = (name: string): string => `database/config/${name}`;

/**
 * Writes a connection, which makes Vault log in to the database at once, and lets Vault choose its own password where that
 * is wanted. Once it has, nobody else knows the password: the file's is used again only where Vault's is refused, as after a
 * database was restored.
 */
export async function applyConnection(
  vault: VaultClient,
  records: Records,
  name: string,
  connection: Connection,
): Promise<boolean> {
  const place = connectionPath(name);
  const file = (key: string): string => fs.readFileSync(path.join(connection.credential, key), "utf8").trim();
  const body = {
    plugin_name: "postgresql-database-plugin",
    allowed_roles: connection.allowedRoles,
    connection_url: connection.url,
    password_authentication: "scram-sha-256",
    max_open_connections: 4,
    ...(connection.ca && { tls_ca: fs.readFileSync(connection.ca, "utf8") }),
  };
  const login = { username: file("username"), password: hide(file("password")) };
  const known = records.all[place];
  const current = (await vault.read(place))?.data;
  // A password that Vault does not choose itself may have changed in its file.
  const written = digestOf(connection.rotateRoot ? { ...body, username: login.username } : { ...body, ...login });
  const done = known?.rotated === true || !connection.rotateRoot;
  if (done && known?.written === written && known.seen === digestOf(current)) return false;

  if (current && connection.rotateRoot) {
    await vault.write(place, body).catch(async (error: unknown) => {
      log("Vault's own password is refused, trying the file's", { connection: name, reason: reason(error) });
      await vault.write(place, { ...body, ...login });
      delete known?.rotated;
    });
  } else {
    await vault.write(place, { ...body, ...login });
  }
  const rotated = connection.rotateRoot;
  if (rotated && records.all[place]?.rotated !== true) {
    await vault.write(`database/rotate-root/${name}`);
    log("Vault has chosen its own password", { connection: name });
  }
  records.all[place] = { written, seen: digestOf((await vault.read(place))?.data), ...(rotated && { rotated }) };
  await records.save();
  return true;
}
