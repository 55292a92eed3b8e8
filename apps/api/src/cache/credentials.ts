import * as path from "node:path";
import type { Config } from "../config";
import { fingerprintOf, type Identity, readAuthority, readIdentity, readPort, readValue } from "../files";

export type CacheConfig = NonNullable<Config["cache"]>;

/** What a connection to the cache needs. `fingerprint` differs whenever any of it does, and tells nothing about it. */
export interface CacheCredentials {
  host: string;
  port: number;
  username: string;
  password: string;
  ca: string;
  client?: Identity;
  fingerprint: string;
}

/** @throws Error that names the file, never its content */
export function readCacheCredentials(from: CacheConfig): CacheCredentials {
  const at = (name: string): string => path.join(from.folder, name);
  const credentials = {
    host: readValue(at("host")),
    port: readPort(at("port")),
    username: readValue(at("username")),
    password: readValue(at("password")),
    ca: readAuthority(from.caFile),
    client: from.client && readIdentity(from.client),
  };
  return { ...credentials, fingerprint: fingerprintOf(credentials) };
}

/** The files that {@link readCacheCredentials} reads, of each folder one. */
export function cacheFiles(from: CacheConfig): (string | undefined)[] {
  return [path.join(from.folder, "host"), from.caFile, from.client?.certFile, from.client?.keyFile];
}
