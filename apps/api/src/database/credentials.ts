import * as path from "node:path";
import type { Config } from "../config";
import { fingerprintOf, type Identity, readAuthority, readIdentity, readLogin, readPort, readValue } from "../files";

/** What a connection needs. `fingerprint` differs whenever any of it does, and tells nothing about it. */
export interface Credentials {
  host: string;
  port: number;
  database: string;
  user: string;
  password: string;
  ca?: string;
  /** Shown to a server that asks for it. */
  client?: Identity;
  fingerprint: string;
}

/**
 * Reads the mounted files.
 * @throws Error that names the file, never its content.
 */
export function readCredentials(from: Config["database"]): Credentials {
  const at = (name: string): string => path.join(from.folder, name);
  const host = readValue(at("host"));
  const port = readPort(at("port"));
  const secured = from.tls === "verify-full";
  const login = from.loginFile
    ? readLogin(from.loginFile)
    : { username: readValue(at("username")), password: readValue(at("password")) };
  const credentials = {
    host,
    port,
    database: readValue(at("dbname")),
    user: login.username,
    password: login.password,
    ca: secured ? readCa(from.caFile) : undefined,
    client: secured && from.client ? readIdentity(from.client) : undefined,
  };
  return { ...credentials, fingerprint: fingerprintOf(credentials) };
}

function readCa(file: string): string {
  try {
    return readAuthority(file);
  } catch (error) {
    const { message } = error as Error;
    if (!message.startsWith("cannot read")) throw error;
    throw new Error(
      `${message.replace("cannot read", "cannot read the CA")} (set DB_TLS=off for a database without TLS)`,
    );
  }
}

/** The files that {@link readCredentials} reads, of each folder one. */
export function credentialFiles(from: Config["database"]): (string | undefined)[] {
  const secured = from.tls === "verify-full";
  return [
    path.join(from.folder, "host"),
    from.loginFile,
    secured ? from.caFile : undefined,
    ...(secured && from.client ? [from.client.certFile, from.client.keyFile] : []),
  ];
}
